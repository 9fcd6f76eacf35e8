import Foundation
import Sealing
import Synchronization
import SystemPackage

@testable import Vault

/// Runs sequences of ``NameStep`` on vaults of their own, and says what is wrong with one afterwards.
///
/// Its vaults are copies of one that was made once, and are opened by the account key: deriving a key from a password
/// takes longer than all the rest.
final class NameRun {
    private let directory: FilePath
    private let accountKey: AccountKey
    private var number = 0

    init() throws {
        // What is tested survives a killed process, and need not reach a disk.
        let parent = FileManager.default.fileExists(atPath: "/dev/shm") ? "/dev/shm" : NSTemporaryDirectory()
        directory = FilePath("\(parent)/coffer-names-\(UUID().uuidString)")
        try FileManager.default.createDirectory(atPath: directory.string, withIntermediateDirectories: true)
        let vault = try Vault.create(
            at: directory.appending("template"), password: MasterPassword(Fixture.password),
            options: .init(parameters: .floor, stateDirectory: directory))
        accountKey = vault.accountKey
        try vault.close()
    }

    deinit { try? FileManager.default.removeItem(atPath: directory.string) }

    /// What is wrong after the steps; nil where all is well.
    ///
    /// - Parameter isKilled: the vault is not closed but copied as it is, as after kill -9.
    func fault(after steps: [NameStep], isKilled: Bool) throws -> String? {
        number += 1
        let folder = directory.appending("\(number)")
        try FileManager.default.createDirectory(atPath: folder.string, withIntermediateDirectories: false)
        defer { try? FileManager.default.removeItem(atPath: folder.string) }
        let path = folder.appending("vault")
        try FileManager.default.copyItem(atPath: directory.appending("template").string, toPath: path.string)
        let vault = try open(path)
        let state = try NameState(vault)
        for step in steps { try state.perform(step) }
        if !isKilled { state.closeAll() }
        if let fault = try NameJudge.fault(of: vault, owed: state.owed) { return "open: \(fault)" }
        let before = try NameJudge.listing(of: vault)
        let next: FilePath
        if isKilled {
            next = try copy(path, to: folder.appending("killed"))
            state.closeAll()
            try vault.close()
        } else {
            next = path
            try vault.close()
        }
        let again: Vault
        do { again = try open(next) } catch { return "it does not open: \(error)" }
        defer { try? again.close() }
        if let fault = try NameJudge.fault(of: again, owed: state.owed) { return "opened again: \(fault)" }
        let after = try NameJudge.listing(of: again)
        if before != after { return "before: \(before)\nopened again: \(after)" }
        return try NameJudge.faultOfPurging(again)
    }

    private func open(_ path: FilePath) throws -> Vault {
        // The counter against older copies is one for all copies of the template.
        let options = Vault.OpenOptions(stateDirectory: path.removingLastComponent())
        return try Vault.open(LockedVault(path, options), accountKey, options)
    }

    private func copy(_ path: FilePath, to folder: FilePath) throws -> FilePath {
        try FileManager.default.createDirectory(atPath: folder.string, withIntermediateDirectories: false)
        let target = folder.appending("vault")
        for suffix in Vault.fileSuffixes where suffix != "-shm" {
            let source = path.string + suffix
            guard FileManager.default.fileExists(atPath: source) else { continue }
            try FileManager.default.copyItem(atPath: source, toPath: target.string + suffix)
        }
        return target
    }

    /// The shortest sequence found that still is at fault: steps are left out one at a time, as long as that helps.
    func shrink(_ steps: [NameStep], isKilled: Bool) throws -> ([NameStep], String) {
        var best = steps
        var what = try fault(after: steps, isKilled: isKilled) ?? "not found again"
        var index = best.count - 1
        while index >= 0 {
            var shorter = best
            shorter.remove(at: index)
            if let found = try fault(after: shorter, isKilled: isKilled) { (best, what) = (shorter, found) }
            index -= 1
        }
        return (best, what)
    }
}
