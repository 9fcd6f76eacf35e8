internal import Format
internal import Fuse
internal import Glibc
internal import Sealing
internal import SystemPackage
internal import Vault

/// The vault as a file system: FUSE's questions, answered by the vault.
///
/// A *node* is the same number on both sides. Handles of files say only whether they write; control files
/// have handles of their own. Every operation passes the ``Gate``, which locking closes.
///
/// Never here: a lock of its own, a wait for the network, a copy of plaintext.
final class VaultFileSystem: FileSystem {
    let vault: Vault
    let gate = Gate()
    let controls: Controls
    /// Nothing is kept in the kernel's page cache.
    let usesNoCache: Bool
    /// ``MountOptions/umask``
    private let umask: UInt32

    /// The bit of a handle that says that the file was opened for writing.
    static let writing: UInt64 = 1

    init(vault: Vault, usesNoCache: Bool, umask: UInt32, controls: Controls) {
        self.vault = vault
        self.usesNoCache = usesNoCache
        self.umask = umask
        self.controls = controls
    }

    /// The mode of what is made; the kernel has taken the caller's own umask(2) from it.
    func masked(_ mode: UInt32) -> UInt32 { mode & ~umask }

    /// Runs one operation, unless the vault is being locked. On a full disk what is kept gives way, and it is tried again.
    func pass<R>(_ body: () throws(Errno) -> R) throws(Errno) -> R {
        guard gate.enter() else { throw .socketNotConnected }
        defer { gate.leave() }
        do throws(Errno) { return try body() } catch {
            guard error == .noSpace, vault.giveWayIfFull() else { throw error }
            return try body()
        }
    }

    func entry(_ found: (Node, Attributes)) -> Entry {
        Entry(
            node: NodeID(found.0.rawValue), generation: vault.generation(of: found.0), attributes: FileStatus(found.1),
            timeout: Timeouts.entries)
    }

    // MARK: Names

    func lookup(_ name: RawSpan, in parent: NodeID) throws(Errno) -> Entry {
        if let control = controls.lookup(name, in: parent) { return control }
        guard !Controls.contains(parent) else { throw .noSuchFileOrDirectory }
        return try pass { () throws(Errno) in
            entry(try vault.lookup(name, in: Node(parent), remember: true))
        }
    }

    func forget(_ node: NodeID, count: UInt64) {
        guard !Controls.contains(node) else { return }
        vault.forget(Node(node), count: count)
    }

    func makeNode(
        _ name: RawSpan, in parent: NodeID, mode: UInt32, device: UInt64, by caller: Caller
    ) throws(Errno) -> Entry {
        try controls.refuse(name, in: parent)
        return try pass { () throws(Errno) in
            entry(
                try vault.makeNode(
                    name, in: Node(parent), mode: masked(mode), owner: (caller.user, caller.group),
                    device: UInt32(truncatingIfNeeded: device), remember: true))
        }
    }

    func makeDirectory(
        _ name: RawSpan, in parent: NodeID, mode: UInt32, by caller: Caller
    ) throws(Errno) -> Entry {
        try makeNode(name, in: parent, mode: FileType.directory | mode & 0o7777, device: 0, by: caller)
    }

    func makeSymbolicLink(
        _ name: RawSpan, in parent: NodeID, target: RawSpan, by caller: Caller
    ) throws(Errno) -> Entry {
        try controls.refuse(name, in: parent)
        return try pass { () throws(Errno) in
            entry(
                try vault.makeSymbolicLink(
                    name, in: Node(parent), target: target, owner: (caller.user, caller.group), remember: true))
        }
    }

    func link(_ node: NodeID, _ name: RawSpan, in parent: NodeID) throws(Errno) -> Entry {
        try controls.refuse(name, in: parent)
        return try pass { () throws(Errno) in
            entry((Node(node), try vault.link(Node(node), name, in: Node(parent), remember: true)))
        }
    }

    func unlink(_ name: RawSpan, in parent: NodeID) throws(Errno) {
        try controls.refuse(name, in: parent)
        try pass { () throws(Errno) in try vault.unlink(name, in: Node(parent)) }
    }

    func removeDirectory(_ name: RawSpan, in parent: NodeID) throws(Errno) {
        try controls.refuse(name, in: parent)
        try pass { () throws(Errno) in try vault.removeDirectory(name, in: Node(parent)) }
    }

    func rename(
        _ name: RawSpan, in parent: NodeID, to newName: RawSpan, in newParent: NodeID, flags: UInt32
    ) throws(Errno) {
        try controls.refuse(name, in: parent)
        try controls.refuse(newName, in: newParent)
        try pass { () throws(Errno) in
            try vault.rename(
                name, in: Node(parent), to: newName, in: Node(newParent), flags: Vault.RenameFlags(rawValue: flags))
        }
    }

    // MARK: Attributes

    func attributes(of node: NodeID, handle: Handle?) throws(Errno) -> FileStatus {
        if let control = controls.attributes(of: node) { return control }
        return try pass { () throws(Errno) in FileStatus(try vault.attributes(of: Node(node))) }
    }

    func setAttributes(of node: NodeID, handle: Handle?, _ changes: SetAttributes) throws(Errno) -> FileStatus {
        if let control = controls.attributes(of: node) { return control }
        var wanted = AttributeChanges()
        wanted.mode = changes.mode
        wanted.owner = changes.owner
        wanted.group = changes.group
        wanted.size = changes.size
        wanted.accessed = changes.accessed.map { Timestamp($0) }
        wanted.modified = changes.modified.map { Timestamp($0) }
        wanted.changed = changes.changed.map { Timestamp(seconds: $0.seconds, nanoseconds: $0.nanoseconds) }
        wanted.clearSetIDs = changes.clearsSetIDs
        let request = wanted
        return try pass { () throws(Errno) in FileStatus(try vault.setAttributes(of: Node(node), request)) }
    }

    func readLink(_ node: NodeID, _ body: (RawSpan) -> Void) throws(Errno) {
        try pass { () throws(Errno) in
            let target = try vault.symbolicLinkTarget(of: Node(node))
            target.withBytes(body)
        }
    }

    /// Behind the closed gate: ESHUTDOWN, by which a vault that is being locked is told from a dead mount's ENOTCONN.
    func statistics() throws(Errno) -> Statistics {
        guard gate.enter() else { throw Errno(rawValue: ESHUTDOWN) }
        defer { gate.leave() }
        let found = vault.statistics()
        // What is kept of earlier contents gives way.
        let free = (found.availableBytes &+ found.yieldingBytes) / 4096
        return Statistics(
            blockSize: 4096, blocks: (found.fileBytes &- min(found.fileBytes, found.yieldingBytes)) / 4096 &+ free,
            freeBlocks: free,
            files: UInt64(found.files) &+ (1 << 40), freeFiles: 1 << 40, nameLength: UInt64(Limits.nameLength))
    }

    func extendedAttribute(_ name: RawSpan, of node: NodeID, _ body: (RawSpan) -> Void) throws(Errno) {
        guard !Controls.contains(node) else { throw Errno(rawValue: ENODATA) }
        try pass { () throws(Errno) in
            let value = try vault.extendedAttribute(name, of: Node(node))
            value.withBytes(body)
        }
    }

    func extendedAttributeNames(of node: NodeID, _ body: (RawSpan) -> Void) throws(Errno) {
        guard !Controls.contains(node) else { return }
        try pass { () throws(Errno) in
            let names = try vault.extendedAttributeNames(of: Node(node))
            names.withBytes(body)
        }
    }

    func setExtendedAttribute(
        _ name: RawSpan, to value: RawSpan, of node: NodeID, flags: Int32, by caller: Caller
    ) throws(Errno) {
        guard !Controls.contains(node) else { throw .notSupported }
        if let list = AccessList.kind(name) { return try set(list, value, of: node, by: caller) }
        let flag: Vault.AttributeFlag =
            switch flags {
            case 0: .any
            case 1: .create
            case 2: .replace
            default: throw .invalidArgument
            }
        try pass { () throws(Errno) in
            try vault.setExtendedAttribute(name, to: value, of: Node(node), flag: flag)
        }
    }

    func removeExtendedAttribute(_ name: RawSpan, of node: NodeID) throws(Errno) {
        guard !Controls.contains(node) else { throw .notSupported }
        guard AccessList.kind(name) == nil else { return }
        try pass { () throws(Errno) in try vault.removeExtendedAttribute(name, of: Node(node)) }
    }
}

extension Node {
    init(_ node: NodeID) { self.init(rawValue: node.rawValue) }
}

extension Timestamp {
    init(_ change: SetAttributes.TimeChange) {
        switch change {
        case .now: self = .now()
        case .at(let time): self.init(seconds: time.seconds, nanoseconds: time.nanoseconds)
        }
    }
}

extension FileStatus {
    init(_ attributes: Attributes) {
        self.init(
            inode: attributes.inode, mode: attributes.mode, links: attributes.links, owner: attributes.owner,
            group: attributes.group, device: UInt64(attributes.device), size: attributes.size,
            blocks: attributes.blocks, accessed: Time(attributes.accessed), modified: Time(attributes.modified),
            changed: Time(attributes.changed))
    }
}

extension Time {
    init(_ time: Timestamp) { self.init(seconds: time.seconds, nanoseconds: time.nanoseconds) }
}
