internal import Format
internal import Foundation
internal import Sealing
internal import SystemPackage
internal import Vault

/// The commands that may run on this machine, because somebody has given them here. The vault keeps which command its remote's
/// password comes from; but a vault that somebody gives you, and a backup of somebody else's, would run what they like.
///
/// The file `$XDG_STATE_HOME/coffer/commands` has the hash of each, one a line.
enum AllowedCommands {
    private static var path: FilePath { Directories.state.appending("coffer").appending("commands") }

    static func contains(_ command: String) -> Bool { allowed.contains(line(command)) }

    /// - Throws: what open(2) says of the file.
    static func add(_ command: String) throws {
        guard !contains(command) else { return }
        Directories.makeState()
        let file = try FileDescriptor.open(
            path, .writeOnly, options: [.create, .append, .closeOnExec, .noFollow], permissions: .ownerReadWrite)
        _ = try file.closeAfter { try file.writeAll(Array((line(command) + "\n").utf8)) }
    }

    private static var allowed: [String] {
        guard
            let file = try? FileDescriptor.open(path, .readOnly, options: [.closeOnExec, .noFollow, .nonBlocking]),
            let text = try? file.closeAfter({ try bounded(file) })
        else { return [] }
        return String(decoding: text, as: UTF8.self).split(separator: "\n").map(String.init)
    }

    private static func bounded(_ file: FileDescriptor) throws -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: 1 << 16)
        let count = try unsafe bytes.withUnsafeMutableBytes { unsafe try file.read(into: $0) }
        return Array(bytes[..<count])
    }

    private static func line(_ command: String) -> String {
        let bytes = Array(command.utf8)
        return unsafe Digest.blake2b256(bytes.span.bytes).map { String(format: "%02x", $0) }.joined()
    }
}
