internal import CLinux
internal import Glibc
internal import Sealing
internal import SystemPackage
internal import Vault

/// The mode that a folder had before Coffer took away the right to write: four octal digits in the folder's extended
/// attribute `user.coffer.mode`; where the file system keeps none, in a file of the state folder.
struct OriginalMode: Sendable {
    private static let attribute = "user.coffer.mode"
    private let descriptor: Int32
    private let file: FilePath

    /// - Parameters:
    ///   - descriptor: the folder, whose path is `path`.
    ///   - state: `$XDG_STATE_HOME`.
    init(_ descriptor: Int32, path: FilePath, state: FilePath) {
        self.descriptor = descriptor
        let digest = unsafe Digest.blake2b256(Array(path.string.utf8).span.bytes).prefix(16)
        let digits = Array("0123456789abcdef".utf8)
        let name = digest.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }
        file = state.appending("coffer/folders").appending(String(decoding: name, as: UTF8.self))
    }

    /// nil where none is kept.
    func read() -> mode_t? {
        var digits = [UInt8](repeating: 0, count: 16)
        var count = unsafe fgetxattr(descriptor, Self.attribute, &digits, digits.count)
        if count < 0 {
            guard let file = try? FileDescriptor.open(file, .readOnly, options: [.closeOnExec, .noFollow]) else {
                return nil
            }
            defer { try? file.close() }
            count = (try? unsafe digits.withUnsafeMutableBytes { unsafe try file.read(into: $0) }) ?? 0
        }
        // A file that was cut says nothing.
        guard count == 4 else { return nil }
        return mode_t(String(decoding: digits[..<count], as: UTF8.self), radix: 8)
    }

    /// - Returns: whether it is kept.
    func keep(_ mode: mode_t) -> Bool {
        let digits = [9, 6, 3, 0].map { UInt8(ascii: "0") + UInt8(truncatingIfNeeded: mode >> $0 & 7) }
        if unsafe fsetxattr(descriptor, Self.attribute, digits, digits.count, 0) == 0 { return true }
        Ownership.makeDirectories(file.removingLastComponent())
        let made = try? FileDescriptor.open(
            file, .writeOnly, options: [.create, .truncate, .closeOnExec, .noFollow], permissions: [.ownerReadWrite])
        guard let made else { return false }
        Ownership.give(made, toOwnerOf: file.removingLastComponent())
        return (try? made.closeAfter { try made.writeAll(digits) }) == digits.count
    }

    func forget() {
        _ = unsafe fremovexattr(descriptor, Self.attribute)
        _ = unsafe unlink(file.string)
    }
}
