internal import Format
internal import Glibc
internal import Synchronization
internal import SystemPackage

/// The counter beside the vault that tells an older copy of its file: one for each device, since each counts for itself,
/// and two devices of one vault can be on one machine.
///
/// Programs before this one had one for each vault. It is this device's beyond doubt only where the vault has never been
/// given to synchronisation; with others about it may be that of another device, and would call this one older than it is.
/// There the remote tells, and the counter begins anew.
final class CounterFile: Sendable {
    private let directory: FilePath
    private let vault: Identifier
    /// What was written last; it is not written twice.
    private let last = Mutex<(device: Identifier, counter: UInt64)>((.none, 0))

    /// 20 digits or blanks and a line feed.
    private static let width = 20

    init(of vault: Identifier, in directory: FilePath) {
        (self.vault, self.directory) = (vault, directory)
    }

    /// The counter of the newest state of `root`'s device that was durable on this machine; 0 where none is known.
    func saved(_ root: RootState) -> UInt64 {
        guard root.device != .none else { return 0 }
        return CounterFile.read(path(of: root.device)) ?? (root.isReplicated ? 0 : CounterFile.read(former) ?? 0)
    }

    /// Notes that the state with `root`'s counter is on the disk.
    func save(_ root: RootState) {
        guard root.device != .none, last.withLock({ $0 != (root.device, root.counter) }) else { return }
        Ownership.makeDirectories(directory)
        let digits = "\(root.counter)"
        let text = digits + String(repeating: " ", count: max(0, CounterFile.width - digits.count)) + "\n"
        let path = path(of: root.device)
        let made = CounterFile.open(path, .writeOnly, [.create, .exclusiveCreate])
        if let made { Ownership.give(made, toOwnerOf: directory) }
        guard let file = made ?? CounterFile.open(path, .writeOnly, []) else { return }
        defer { try? file.close() }
        // One write of fixed length: it is whole or it is not there.
        guard (try? file.writeAll(toAbsoluteOffset: 0, Array(text.utf8))) != nil else { return }
        last.withLock { $0 = (root.device, root.counter) }
        _ = unsafe former.withPlatformString { unsafe unlink($0) }
    }

    private func path(of device: Identifier) -> FilePath {
        directory.appending("\(vault.hexadecimal)-\(device.hexadecimal).counter")
    }

    private var former: FilePath { directory.appending("\(vault.hexadecimal).counter") }

    private static func read(_ path: FilePath) -> UInt64? {
        guard let file = open(path, .readOnly, []) else { return nil }
        defer { try? file.close() }
        var bytes = [UInt8](repeating: 0, count: 32)
        let count = unsafe bytes.withUnsafeMutableBytes { unsafe (try? file.read(into: $0)) ?? 0 }
        let text = String(decoding: bytes[..<count].prefix { $0 != 0x0A && $0 != 0x20 }, as: UTF8.self)
        // No vault counts that far; a higher number would stop its own counter.
        return UInt64(text).map { min($0, 1 << 62) }
    }

    /// A regular file at this very name: a link is not followed, a pipe not waited for.
    private static func open(
        _ path: FilePath, _ mode: FileDescriptor.AccessMode, _ options: FileDescriptor.OpenOptions
    ) -> FileDescriptor? {
        let options = options.union([.closeOnExec, .noFollow, .nonBlocking])
        guard let file = try? FileDescriptor.open(path, mode, options: options, permissions: .ownerReadWrite) else {
            return nil
        }
        var status = stat()
        guard unsafe fstat(file.rawValue, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            try? file.close()
            return nil
        }
        return file
    }
}
