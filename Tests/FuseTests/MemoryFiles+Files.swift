import Fuse
import Glibc
import Synchronization
import SystemPackage

extension MemoryFiles {
    func attributes(of node: NodeID, handle: Handle?) throws(Errno) -> FileStatus {
        note("getattr")
        return status(node.rawValue, try file(node))
    }

    func setAttributes(of node: NodeID, handle: Handle?, _ changes: SetAttributes) throws(Errno) -> FileStatus {
        try change(node) { file in
            if let mode = changes.mode { file.mode = file.mode & UInt32(S_IFMT) | mode & 0o7777 }
            if let owner = changes.owner { file.owner.0 = owner }
            if let group = changes.group { file.owner.1 = group }
            if case .at(let time)? = changes.modified { file.modified = time }
            if let size = changes.size {
                let rest = Int(size) - file.content.count
                file.content += [UInt8](repeating: 0, count: max(0, rest))
                file.content.removeLast(max(0, -rest))
            }
        }
        return status(node.rawValue, try file(node))
    }

    func readLink(_ node: NodeID, _ body: (RawSpan) -> Void) throws(Errno) {
        unsafe body(try file(node).content.span.bytes)
    }

    func open(_ node: NodeID, flags: Int32) throws(Errno) -> OpenReply {
        note("open")
        if flags & O_TRUNC != 0 { try change(node) { $0.content = [] } }
        var reply = OpenReply(handle: Handle(node.rawValue + 1000))
        reply.keepsCache = isCached
        return reply
    }

    func create(
        _ name: RawSpan, in parent: NodeID, mode: UInt32, flags: Int32, by caller: Caller
    ) throws(Errno) -> (Entry, OpenReply) {
        let file = File(mode: UInt32(S_IFREG) | mode, owner: (caller.user, caller.group))
        let entry = try make(MemoryFiles.text(name), parent, file)
        return (entry, OpenReply(handle: Handle(entry.node.rawValue + 1000)))
    }

    func read(
        _ node: NodeID, handle: Handle, offset: UInt64, count: Int, _ body: (RawSpan) -> Void
    ) throws(Errno) {
        note("read")
        guard handle.rawValue == node.rawValue + 1000 else { throw .badFileDescriptor }
        let content = try file(node).content
        try trouble.meet(content, count: count)
        guard Int(offset) < content.count else { return }
        unsafe body(content.span.bytes.extracting(Int(offset)..<min(content.count, Int(offset) + count)))
    }

    func write(_ node: NodeID, handle: Handle, offset: UInt64, _ bytes: RawSpan) throws(Errno) -> Int {
        let bytes = MemoryFiles.bytes(bytes)
        state.withLock { $0.longestWrite = max($0.longestWrite, bytes.count) }
        try change(node) { file in
            let (start, end) = (Int(offset), Int(offset) + bytes.count)
            if file.content.count < end { file.content += [UInt8](repeating: 0, count: end - file.content.count) }
            file.content.replaceSubrange(start..<end, with: bytes)
        }
        return bytes.count
    }

    /// Where the content says so, closing fails.
    func flush(_ node: NodeID, handle: Handle) throws(Errno) {
        note("flush")
        if try file(node).content == Array("no room".utf8) { throw .noSpace }
    }

    func release(_ node: NodeID, handle: Handle) { note("release") }

    func synchronize(_ node: NodeID, handle: Handle, dataOnly: Bool) throws(Errno) {
        note(dataOnly ? "fdatasync" : "fsync")
    }

    func seek(_ node: NodeID, handle: Handle, offset: UInt64, whence: Int32) throws(Errno) -> UInt64 {
        // Data from 4096 on only.
        whence == 3 ? max(4096, offset) : offset
    }

    func statistics() throws(Errno) -> Statistics {
        Statistics(blockSize: 4096, blocks: 1000, freeBlocks: 600, files: 77, freeFiles: 33, nameLength: 255)
    }

    // MARK: Extended attributes

    func extendedAttribute(_ name: RawSpan, of node: NodeID, _ body: (RawSpan) -> Void) throws(Errno) {
        guard let value = try file(node).attributes[MemoryFiles.text(name)] else { throw .noData }
        unsafe body(value.span.bytes)
    }

    func extendedAttributeNames(of node: NodeID, _ body: (RawSpan) -> Void) throws(Errno) {
        var names: [UInt8] = []
        for name in try file(node).attributes.keys.sorted() { names += Array(name.utf8) + [0] }
        unsafe body(names.span.bytes)
    }

    func setExtendedAttribute(
        _ name: RawSpan, to value: RawSpan, of node: NodeID, flags: Int32, by caller: Caller
    ) throws(Errno) {
        let (name, value) = (MemoryFiles.text(name), MemoryFiles.bytes(value))
        try change(node) { $0.attributes[name] = value }
    }

    func removeExtendedAttribute(_ name: RawSpan, of node: NodeID) throws(Errno) {
        let name = MemoryFiles.text(name)
        try change(node) { $0.attributes[name] = nil }
    }
}
