import Foundation
import Sealing
import SystemPackage
import Testing

@testable import Vault

/// A directory with one vault in it, gone at the end of its owner's life.
final class Fixture: Sendable {
    static let password = "plum violet anchor 47"

    let directory: FilePath
    var file: FilePath { directory.appending("vault.coffer") }
    var state: FilePath { directory.appending("state") }

    init() throws {
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("vault test \(UUID().uuidString)")
        try FileManager.default.createDirectory(at: path, withIntermediateDirectories: true)
        directory = FilePath(path.path)
    }

    deinit { try? FileManager.default.removeItem(atPath: directory.string) }

    /// A new vault at the lowest cost.
    func create() throws -> Vault {
        try Vault.create(
            at: file, password: MasterPassword(Fixture.password),
            options: .init(parameters: .floor, stateDirectory: state))
    }

    func open(
        readOnly: Bool = false, tolerateDamage: Bool = false, password: String = Fixture.password
    ) throws -> Vault {
        try Vault.open(
            at: file, password: MasterPassword(password),
            options: .init(readOnly: readOnly, tolerateDamage: tolerateDamage, stateDirectory: state))
    }

    /// Closes `vault` and opens it anew.
    func reopen(_ vault: Vault) throws -> Vault {
        try vault.close()
        return try open()
    }

    /// A new vault with what `body` puts into it, closed.
    func fill(_ body: (Vault) throws -> Void) throws {
        let vault = try create()
        try body(vault)
        try vault.close()
    }

    /// Why the vault does not open.
    func refusal(tolerateDamage: Bool = false, password: String = Fixture.password) throws -> VaultError? {
        do {
            try open(tolerateDamage: tolerateDamage, password: password).close()
            return nil
        } catch let error as VaultError {
            return error
        }
    }

    // MARK: The file

    func bytes() throws -> [UInt8] { [UInt8](try Data(contentsOf: URL(fileURLWithPath: file.string))) }

    func write(_ bytes: [UInt8]) throws { try Data(bytes).write(to: URL(fileURLWithPath: file.string)) }

    /// Copies the (closed) vault's file beside it, or back.
    func keepCopy(_ name: String = "older") throws { try copy(from: file, to: directory.appending(name)) }

    func restoreCopy(_ name: String = "older") throws { try copy(from: directory.appending(name), to: file) }

    private func copy(from source: FilePath, to target: FilePath) throws {
        try? FileManager.default.removeItem(atPath: target.string)
        try FileManager.default.copyItem(atPath: source.string, toPath: target.string)
    }

    /// Every file in the directory, with its bytes: the vault's, its log, its counter.
    func everything() throws -> [(name: String, bytes: Data)] {
        let names = FileManager.default.enumerator(atPath: directory.string)?.allObjects ?? []
        return try names.compactMap { $0 as? String }.compactMap { name in
            let path = directory.appending(name).string
            var isDirectory: ObjCBool = false
            guard unsafe FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory), !isDirectory.boolValue
            else { return nil }
            return (name, try Data(contentsOf: URL(fileURLWithPath: path)))
        }
    }

    /// Runs SQL on the (closed) file. In this process: a child would inherit the descriptors of other tests'
    /// vaults for a moment, and with them their locks (flock(2)).
    func sql(_ statements: String) throws {
        let connection = try Connection(path: file, readOnly: false, cacheKiB: 256)
        defer { connection.close() }
        try connection.execute(statements)
    }

    /// The first column of each row, as text.
    func query(_ statement: String) throws -> [String] {
        let connection = try Connection(path: file, readOnly: false, cacheKiB: 256)
        defer { connection.close() }
        let prepared = try connection.prepare(statement)
        var rows: [String] = []
        while try prepared.step() { rows.append(unsafe String(decoding: prepared.bytes(0), as: UTF8.self)) }
        return rows
    }

    /// The bytes of a row of the header.
    func header(_ name: String) throws -> [UInt8] {
        let digits = Array(try query("SELECT hex(value) FROM header WHERE name = '\(name)'").joined().utf8)
        return stride(from: 0, to: digits.count, by: 2).compactMap {
            UInt8(String(decoding: digits[$0...($0 + 1)], as: UTF8.self), radix: 16)
        }
    }

    func setHeader(_ name: String, _ value: [UInt8]) throws {
        let digits = value.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
        try sql("UPDATE header SET value = x'\(digits)' WHERE name = '\(name)'")
    }

    /// How many rows each table has.
    func rowCounts() throws -> [String] {
        try ["entry", "file", "chunk", "version", "operation"].flatMap { try query("SELECT count(*) || '' FROM \($0)") }
    }
}

extension MasterPassword {
    init(_ text: String) throws(PasswordError) {
        try self.init(utf8: Array(text.utf8).raw)
    }
}

extension [UInt8] {
    /// The bytes as the vault takes them.
    var raw: RawSpan {
        @_lifetime(borrow self)
        get { unsafe span.bytes }
    }
}

extension RawSpan {
    var copied: [UInt8] { unsafe withUnsafeBytes { unsafe [UInt8]($0) } }
}

/// SplitMix64 (Steele, Lea and Flood 2014): the same numbers in every run.
struct Randomness: RandomNumberGenerator {
    var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    mutating func bytes(_ count: Int) -> [UInt8] { (0..<count).map { _ in UInt8(truncatingIfNeeded: next()) } }
}
