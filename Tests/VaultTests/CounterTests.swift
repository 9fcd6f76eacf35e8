import Format
import Foundation
import Sealing
import SystemPackage
import Testing

@testable import Vault

/// The counter against older copies, of each device of each vault.
@Suite struct CounterTests {
    private func folder(_ fixture: Fixture) -> FilePath { fixture.state.appending("coffer") }

    /// Where programs before this one kept one counter for all devices of a vault.
    private func former(_ vault: Vault, _ fixture: Fixture) -> FilePath {
        folder(fixture).appending("\(vault.identifier.hexadecimal).counter")
    }

    private func write(_ counter: UInt64, to path: FilePath) throws {
        try Data("\(counter)\n".utf8).write(to: URL(fileURLWithPath: path.string))
    }

    /// A second device of the vault on the same machine, at another place.
    private func replica(of vault: Vault, at path: FilePath, _ fixture: Fixture) throws -> Vault {
        let password = try MasterPassword(Fixture.password)
        return try Vault.createReplica(
            at: path, of: vault.replicaOrigin(), accountKey: vault.wrappedKeys().unwrap(password), device: .random(),
            deviceKeys: DeviceKeys(), password: password,
            options: .init(parameters: .floor, stateDirectory: fixture.state))
    }

    private func isOlder(_ path: FilePath, _ fixture: Fixture) throws -> Bool {
        do {
            try Vault.open(
                at: path, password: MasterPassword(Fixture.password), options: .init(stateDirectory: fixture.state)
            ).close()
            return false
        } catch VaultError.rolledBack {
            return true
        }
    }

    @Test func twoDevicesOnOneMachineCountForThemselves() throws {
        let fixture = try Fixture()
        let first = try fixture.create()
        let path = fixture.directory.appending("second.coffer")
        let second = try replica(of: first, at: path, fixture)
        try second.close()
        for number in 0..<20 { try first.save("\(number)", "text") }
        try first.close()
        #expect(try !isOlder(path, fixture), "the other one has counted further")
        // Of each an older copy is found.
        let files = FileManager.default
        for place in [fixture.file, path] {
            let copy = fixture.directory.appending("older").string
            try? files.removeItem(atPath: copy)
            try files.copyItem(atPath: place.string, toPath: copy)
            let vault = try Vault.open(
                at: place, password: MasterPassword(Fixture.password), options: .init(stateDirectory: fixture.state))
            try vault.save("more", "text")
            try vault.close()
            try files.removeItem(atPath: place.string)
            try files.copyItem(atPath: copy, toPath: place.string)
            #expect(try isOlder(place, fixture))
        }
    }

    /// The former counter counts where it can be no other device's, and goes with the first that is written.
    @Test func aFormerCounterOfTheVaultIsTakenOver() throws {
        let fixture = try Fixture()
        let vault = try fixture.create()
        try vault.save("a", "one")
        let counter = vault.committer.withLock { $0.root.counter }
        try vault.close()
        let former = former(vault, fixture)
        for name in try FileManager.default.contentsOfDirectory(atPath: folder(fixture).string) {
            try FileManager.default.removeItem(atPath: folder(fixture).appending(name).string)
        }
        try write(counter + 5, to: former)
        #expect(try isOlder(fixture.file, fixture))
        try write(counter, to: former)
        try fixture.keepCopy()
        try fixture.open().saveAndClose("a", "two")
        #expect(!FileManager.default.fileExists(atPath: former.string))
        try fixture.restoreCopy()
        #expect(try isOlder(fixture.file, fixture))
    }

    @Test func aFormerCounterThatMayBeAnotherDevicesIsNotAskedAbout() throws {
        let fixture = try Fixture()
        let vault = try fixture.create()
        try vault.replicate(translating: { $0 }) { (_) throws(Errno) in }
        try vault.close()
        for name in try FileManager.default.contentsOfDirectory(atPath: folder(fixture).string) {
            try FileManager.default.removeItem(atPath: folder(fixture).appending(name).string)
        }
        try write(1_000_000, to: former(vault, fixture))
        #expect(try !isOlder(fixture.file, fixture))
    }

    /// A link is not followed and a pipe not waited for, neither way.
    @Test func theCounterIsARegularFile() throws {
        let fixture = try Fixture()
        let vault = try fixture.create()
        let device = vault.device.hexadecimal
        try vault.close()
        let path = folder(fixture).appending("\(vault.identifier.hexadecimal)-\(device).counter").string
        #expect(FileManager.default.fileExists(atPath: path))
        let target = fixture.directory.appending("target")
        try write(1_000_000, to: target)
        try FileManager.default.removeItem(atPath: path)
        try FileManager.default.createSymbolicLink(atPath: path, withDestinationPath: target.string)
        try fixture.open().saveAndClose("a", "one")
        #expect(try String(contentsOfFile: target.string, encoding: .utf8) == "1000000\n")
        try FileManager.default.removeItem(atPath: path)
        #expect(unsafe mkfifo(path, 0o600) == 0)
        try fixture.open().saveAndClose("a", "two")
        #expect(try !isOlder(fixture.file, fixture))
    }
}
