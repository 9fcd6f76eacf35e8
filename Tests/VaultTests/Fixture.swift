import Foundation
import Sealing
import SystemPackage
import Testing
import Vault

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

    /// Runs SQL on the (closed) file with Debian's sqlite3 and returns what it prints.
    @discardableResult
    func sql(_ statements: String) throws -> String {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/sqlite3")
        process.arguments = ["-bail", file.string, statements]
        let output = Pipe()
        process.standardOutput = output
        process.standardInput = FileHandle.nullDevice
        try process.run()
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        try #require(process.terminationStatus == 0, "sqlite3: \(statements)")
        return text.trimmingCharacters(in: .whitespacesAndNewlines)
    }

    /// How many rows each table has.
    func rowCounts() throws -> [String] {
        try sql(["entry", "file", "chunk", "version", "operation"].map { "SELECT count(*) FROM \($0);" }.joined())
            .split(separator: "\n").map(String.init)
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
