import Fuse
import Glibc
import Synchronization
import SystemPackage

extension MemoryFiles {
    func lookup(_ name: RawSpan, in parent: NodeID) throws(Errno) -> Entry {
        note("lookup")
        let name = MemoryFiles.text(name)
        try trouble.meet(name)
        return try entry(child(name, parent))
    }

    func forget(_ node: NodeID, count: UInt64) {
        state.withLock { state in
            state.calls["forget", default: 0] += 1
            state.references[node.rawValue, default: 0] -= Int(count)
        }
    }

    func makeNode(
        _ name: RawSpan, in parent: NodeID, mode: UInt32, device: UInt64, by caller: Caller
    ) throws(Errno) -> Entry {
        try make(MemoryFiles.text(name), parent, File(mode: mode, owner: (caller.user, caller.group)))
    }

    func makeDirectory(_ name: RawSpan, in parent: NodeID, mode: UInt32, by caller: Caller) throws(Errno) -> Entry {
        try make(MemoryFiles.text(name), parent, File(mode: UInt32(S_IFDIR) | mode, links: 2))
    }

    func makeSymbolicLink(
        _ name: RawSpan, in parent: NodeID, target: RawSpan, by caller: Caller
    ) throws(Errno) -> Entry {
        let link = File(mode: UInt32(S_IFLNK) | 0o777, content: MemoryFiles.bytes(target))
        return try make(MemoryFiles.text(name), parent, link)
    }

    func link(_ node: NodeID, _ name: RawSpan, in parent: NodeID) throws(Errno) -> Entry {
        let name = MemoryFiles.text(name)
        try change(node) { $0.links += 1 }
        try change(parent) { $0.children.append((name, node.rawValue)) }
        return try entry(node.rawValue)
    }

    func unlink(_ name: RawSpan, in parent: NodeID) throws(Errno) {
        let name = MemoryFiles.text(name)
        let node = try child(name, parent)
        try change(parent) { directory in directory.children.removeAll { $0.name == name } }
        try change(NodeID(node)) { $0.links -= 1 }
    }

    func removeDirectory(_ name: RawSpan, in parent: NodeID) throws(Errno) {
        guard try file(NodeID(child(MemoryFiles.text(name), parent))).children.isEmpty else { throw .directoryNotEmpty }
        try unlink(name, in: parent)
    }

    func rename(
        _ name: RawSpan, in parent: NodeID, to newName: RawSpan, in newParent: NodeID, flags: UInt32
    ) throws(Errno) {
        guard flags == 0 else { throw .invalidArgument }
        let (old, new) = (MemoryFiles.text(name), MemoryFiles.text(newName))
        let node = try child(old, parent)
        try change(parent) { directory in directory.children.removeAll { $0.name == old } }
        try change(newParent) { directory in
            directory.children.removeAll { $0.name == new }
            directory.children.append((new, node))
        }
    }

    // MARK: Directories

    func openDirectory(_ node: NodeID) throws(Errno) -> OpenReply { OpenReply(handle: Handle(0)) }

    /// The offset of an entry is its place, from 1 on.
    func readDirectory(
        _ node: NodeID, handle: Handle, offset: UInt64, into filler: DirectoryFiller
    ) throws(Errno) {
        note(filler.isPlus ? "readdirplus" : "readdir")
        state.withLock { $0.offsets.append(offset) }
        let children = try file(node).children
        for (place, child) in children.enumerated().dropFirst(Int(offset)) {
            let entry = Entry(
                node: NodeID(child.node), generation: 0, attributes: status(child.node, try file(NodeID(child.node))),
                timeout: 0)
            let name = Array(child.name.utf8)
            guard unsafe filler.add(name.span.bytes, entry, offset: UInt64(place + 1)) else { return }
            if filler.isPlus { state.withLock { $0.references[child.node, default: 0] += 1 } }
        }
    }

    func releaseDirectory(_ node: NodeID, handle: Handle) { note("releasedir") }

    func synchronizeDirectory(_ node: NodeID, handle: Handle) throws(Errno) { note("fsyncdir") }
}
