import Fuse
import Glibc
import Synchronization
import SystemPackage

/// A small file system in memory: what the tests of the layer below need, and no more.
///
/// Some names make trouble, see ``Trouble``.
final class MemoryFiles: FileSystem {
    struct File {
        var mode: UInt32
        var content: [UInt8] = []
        /// Of a directory, in the order of their making.
        var children: [(name: String, node: UInt64)] = []
        var attributes: [String: [UInt8]] = [:]
        var links: UInt32 = 1
        var owner: (UInt32, UInt32) = (0, 0)
        var modified = Time(seconds: 1, nanoseconds: 2)
    }

    struct State {
        var files: [UInt64: File] = [1: File(mode: UInt32(S_IFDIR) | 0o755, links: 2)]
        var next: UInt64 = 2
        /// How often each operation came.
        var calls: [String: Int] = [:]
        /// References of the kernel's.
        var references: [UInt64: Int] = [:]
        /// The longest write that came, in bytes.
        var longestWrite = 0
        /// What the last directory request had as its offset.
        var offsets: [UInt64] = []
    }

    let state = Mutex(State())
    let trouble = Trouble()
    let isCached: Bool

    /// - Parameter isCached: the kernel may keep what it is told.
    init(isCached: Bool = false) { self.isCached = isCached }

    func count(_ call: String) -> Int { state.withLock { $0.calls[call] ?? 0 } }

    func note(_ call: String) { state.withLock { $0.calls[call, default: 0] += 1 } }

    static func text(_ name: RawSpan) -> String {
        unsafe name.withUnsafeBytes { unsafe String(decoding: $0, as: UTF8.self) }
    }

    static func bytes(_ span: RawSpan) -> [UInt8] { unsafe span.withUnsafeBytes { unsafe [UInt8]($0) } }

    // MARK: Steps on the state

    func file(_ node: NodeID) throws(Errno) -> File {
        guard let file = state.withLock({ $0.files[node.rawValue] }) else { throw .staleNFSFileHandle }
        return file
    }

    func change<R>(_ node: NodeID, _ body: (inout File) throws(Errno) -> R) throws(Errno) -> R {
        try state.withLock { (state) throws(Errno) in
            guard var file = state.files[node.rawValue] else { throw .staleNFSFileHandle }
            let result = try body(&file)
            state.files[node.rawValue] = file
            return result
        }
    }

    func child(_ name: String, _ parent: NodeID) throws(Errno) -> UInt64 {
        guard let found = try file(parent).children.first(where: { $0.name == name }) else {
            throw .noSuchFileOrDirectory
        }
        return found.node
    }

    func status(_ node: UInt64, _ file: File) -> FileStatus {
        var status = FileStatus(
            inode: node, mode: file.mode, links: file.links, owner: file.owner.0, group: file.owner.1, device: 0,
            size: UInt64(file.content.count), blocks: UInt64(file.content.count / 512), accessed: file.modified,
            modified: file.modified, changed: file.modified)
        status.timeout = isCached ? Timeouts.attributes : 0
        return status
    }

    /// Counts a reference.
    func entry(_ node: UInt64) throws(Errno) -> Entry {
        state.withLock { $0.references[node, default: 0] += 1 }
        return Entry(
            node: NodeID(node), generation: 0, attributes: status(node, try file(NodeID(node))),
            timeout: isCached ? Timeouts.entries : 0)
    }

    func make(_ name: String, _ parent: NodeID, _ file: File) throws(Errno) -> Entry {
        let node = try state.withLock { (state) throws(Errno) in
            guard state.files[parent.rawValue]?.children.contains(where: { $0.name == name }) == false else {
                throw .fileExists
            }
            defer { state.next += 1 }
            state.files[state.next] = file
            state.files[parent.rawValue]?.children.append((name, state.next))
            return state.next
        }
        return try entry(node)
    }
}
