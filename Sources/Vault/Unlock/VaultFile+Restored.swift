internal import Format
internal import Glibc
internal import SystemPackage

/// A restored backup is older than what was seen here, and is meant to be: the counter raises no alarm for that one state,
/// and does for every other.
extension VaultFile {
    /// Beside the counter. It has the seal of the restored state's root in hexadecimal digits, and the path of the vault.
    static func restoredPath(_ vault: Identifier, _ stateDirectory: FilePath) -> FilePath {
        stateDirectory.appending("coffer").appending("\(vault.hexadecimal).restored")
    }

    /// Notes that the state with this seal of the root comes to `path` on purpose.
    static func noteRestoring(_ seal: [UInt8], of vault: Identifier, at path: FilePath, _ stateDirectory: FilePath)
        throws(VaultError)
    {
        let target = restoredPath(vault, stateDirectory)
        Ownership.makeDirectories(target.removingLastComponent())
        do {
            let descriptor = try FileDescriptor.open(
                target, .writeOnly, options: [.create, .truncate, .closeOnExec, .noFollow],
                permissions: .ownerReadWrite)
            try descriptor.closeAfter {
                _ = try descriptor.writeAll(Array("\(VaultFile.digits(seal))\n\(path.string)\n".utf8))
                guard fsync(descriptor.rawValue) == 0 else { throw Errno(rawValue: Glibc.errno) }
            }
        } catch {
            throw .io(error as? Errno ?? .ioError, "writing \(target)")
        }
    }

    /// Whether the state with this seal of the root was restored on purpose, and not opened for writing since.
    func isRestored(_ seal: [UInt8]) -> Bool {
        !seal.isEmpty && noted.map { $0.first == VaultFile.digits(seal) } ?? false
    }

    /// The vault is open for writing: from here on the counter tells older copies from this state, restored or not.
    func forgetRestoring(_ isRestored: Bool, _ root: RootState) {
        guard let restoredPath, let noted, isRestored || noted.last == path.string else { return }
        saveCounter(of: root, readOnly: false)
        _ = unsafe restoredPath.withPlatformString { unsafe unlink($0) }
    }

    /// Seal and path.
    private var noted: [String]? {
        guard let restoredPath,
            let descriptor = try? FileDescriptor.open(
                restoredPath, .readOnly, options: [.closeOnExec, .noFollow])
        else { return nil }
        defer { try? descriptor.close() }
        var bytes = [UInt8](repeating: 0, count: 8192)
        let count = unsafe bytes.withUnsafeMutableBytes { unsafe (try? descriptor.read(into: $0)) ?? 0 }
        let lines = String(decoding: bytes[..<count], as: UTF8.self).split(separator: "\n", maxSplits: 1)
        guard lines.count == 2 else { return nil }
        return [String(lines[0]), String(lines[1].dropLast())]
    }

    private static func digits(_ bytes: [UInt8]) -> String {
        bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }
}
