internal import Format
internal import Foundation
internal import Fuse
internal import Glibc
internal import Synchronization
internal import SystemPackage
internal import Vault

/// The control files: `.coffer/` in the mount's top directory, which listings do not show. The other verbs
/// reach a mounted vault through them, so that the file system's access rules guard them.
final class Controls: Sendable {
    /// Control nodes have numbers that no vault reaches.
    private static let first: UInt64 = 1 << 48
    private static let directoryName = ReservedName.controls

    enum File: UInt64, CaseIterable {
        case status = 1
        case lock = 2
        case verify = 3
        case command = 4
        /// While it is open, the vault's files stay as they are, for a backup.
        case backup = 5

        /// Only what has to be written to may be.
        var permissions: UInt32 { self == .command ? 0o600 : 0o400 }
    }

    /// What the files give: the bytes of a report, or that the vault was locked, or the answer to a command.
    struct Actions: Sendable {
        var status: @Sendable () -> [UInt8]
        var verify: @Sendable () -> [UInt8]
        /// Locks, and returns when plaintext is gone: nothing, or a ``LockRefusal``.
        var lock: @Sendable () -> [UInt8]
        /// Keeps the vault's files as they are.
        var hold: @Sendable () throws(Errno) -> BackupHold
        /// ``Commands/perform(_:)``
        var command: @Sendable (RawSpan) throws(Errno) -> [UInt8]
    }

    private let actions = Mutex<Actions?>(nil)
    private let answers = Mutex<(next: UInt64, texts: [UInt64: [UInt8]])>((1, [:]))
    private let holds = Mutex<[UInt64: BackupHold]>([:])
    private let owner = (user: geteuid(), group: getegid())

    func connect(_ actions: Actions) {
        self.actions.withLock { $0 = actions }
    }

    static func contains(_ node: NodeID) -> Bool { node.rawValue >= first }

    /// The inode's number that a control file has, and no entry of a vault.
    static func number(of file: File) -> UInt64 { first + file.rawValue }

    static func isDirectoryName(_ name: RawSpan, _ parent: NodeID) -> Bool {
        guard parent == .root, name.byteCount == directoryName.count else { return false }
        return unsafe name.withUnsafeBytes { unsafe $0.elementsEqual(directoryName) }
    }

    /// The name of the control directory is taken.
    func refuse(_ name: RawSpan, in parent: NodeID) throws(Errno) {
        if Controls.contains(parent) || Controls.isDirectoryName(name, parent) { throw .notPermitted }
    }

    func lookup(_ name: RawSpan, in parent: NodeID) -> Entry? {
        if Controls.isDirectoryName(name, parent) { return entry(NodeID(Controls.first)) }
        guard parent.rawValue == Controls.first else { return nil }
        let text = unsafe name.withUnsafeBytes { unsafe String(decoding: $0, as: UTF8.self) }
        return File.allCases.first { "\($0)" == text }.flatMap { entry(NodeID(Controls.first + $0.rawValue)) }
    }

    private func entry(_ node: NodeID) -> Entry? {
        attributes(of: node).map { Entry(node: node, generation: 0, attributes: $0, timeout: 0) }
    }

    func attributes(of node: NodeID) -> FileStatus? {
        guard Controls.contains(node) else { return nil }
        let isDirectory = node.rawValue == Controls.first
        let permissions = Controls.file(node)?.permissions ?? 0o400
        let mode = isDirectory ? FileType.directory | 0o500 : FileType.regular | permissions
        let time = Time(seconds: 0, nanoseconds: 0)
        return FileStatus(
            inode: node.rawValue, mode: mode, links: isDirectory ? 2 : 1, owner: owner.user, group: owner.group,
            device: 0, size: 0, blocks: 0, accessed: time, modified: time, changed: time)
    }

    private static func file(_ node: NodeID) -> File? { File(rawValue: node.rawValue - first) }

    func open(_ node: NodeID) throws(Errno) -> OpenReply {
        guard let file = Controls.file(node), let actions = actions.withLock({ $0 })
        else { throw .noSuchFileOrDirectory }
        let text: [UInt8] =
            switch file {
            case .status: actions.status()
            case .verify: actions.verify()
            case .backup: Controls.heldText
            case .lock, .command: []
            }
        let hold = file == .backup ? try actions.hold() : nil
        let handle = answers.withLock { answers in
            answers.next += 1
            answers.texts[answers.next] = text
            return answers.next
        }
        if let hold { holds.withLock { $0[handle] = hold } }
        var reply = OpenReply(handle: Handle(handle))
        // The length is not known beforehand: read until there is no more, past the page cache.
        reply.isDirect = true
        // Nor would it be answered behind a lock.
        reply.needsNoFlush = true
        return reply
    }

    func read(
        _ node: NodeID, handle: Handle, offset: UInt64, count: Int, _ body: (RawSpan) -> Void
    ) throws(Errno) {
        if Controls.file(node) == .lock, offset == 0 {
            let answer = actions.withLock { $0 }?.lock() ?? []
            answers.withLock { $0.texts[handle.rawValue] = answer }
        }
        if Controls.file(node) == .backup {
            guard holds.withLock({ $0[handle.rawValue] })?.isHeld == true else { throw .socketNotConnected }
        }
        let text = answers.withLock { $0.texts[handle.rawValue] ?? [] }
        guard offset < UInt64(text.count) else { return }
        let end = min(text.count, Int(offset) + count)
        unsafe body(text.span.bytes.extracting(Int(offset)..<end))
    }

    /// A request is one write at the start of the file; its answer is read through the same handle.
    func write(_ node: NodeID, handle: Handle, offset: UInt64, _ bytes: RawSpan) throws(Errno) -> Int {
        guard Controls.file(node) == .command, let actions = actions.withLock({ $0 }) else { throw .notPermitted }
        guard offset == 0 else { throw .invalidArgument }
        let answer = try actions.command(bytes)
        answers.withLock { $0.texts[handle.rawValue] = answer }
        return bytes.byteCount
    }

    /// What the file `backup` says as long as nothing has changed.
    private static let heldText = Array("held\n".utf8)

    func release(_ handle: Handle) {
        holds.withLock { $0.removeValue(forKey: handle.rawValue) }?.end()
        answers.withLock { $0.texts[handle.rawValue] = nil }
    }

    func list(offset: UInt64, into filler: DirectoryFiller) {
        for file in File.allCases where offset < file.rawValue {
            guard let entry = entry(NodeID(Controls.first + file.rawValue)),
                unsafe filler.add(Array("\(file)".utf8).span.bytes, entry, offset: file.rawValue)
            else { return }
        }
    }
}
