import Format
import Sealing
import SystemPackage
import Vault

/// A vault as programs use it through the mount, in the words of system calls.
extension Vault {
    static let me: (user: UInt32, group: UInt32) = (1000, 1000)

    @discardableResult
    func make(
        _ name: String, in parent: Node = .root, mode: UInt32 = FileType.regular | 0o600
    ) throws(Errno) -> Node {
        try makeNode(
            Array(name.utf8).raw, in: parent, mode: mode, owner: Vault.me, device: 0, remember: false
        ).0
    }

    @discardableResult
    func makeDirectory(_ name: String, in parent: Node = .root) throws(Errno) -> Node {
        try make(name, in: parent, mode: FileType.directory | 0o700)
    }

    func find(_ name: String, in parent: Node = .root) throws(Errno) -> Node {
        try lookup(Array(name.utf8).raw, in: parent, remember: false).0
    }

    func exists(_ name: String, in parent: Node = .root) -> Bool { (try? find(name, in: parent)) != nil }

    /// open(O_CREAT | O_TRUNC), write, close.
    @discardableResult
    func save(_ name: String, _ bytes: [UInt8], in parent: Node = .root) throws(Errno) -> Node {
        let node: Node
        do throws(Errno) { node = try find(name, in: parent) } catch { node = try make(name, in: parent) }
        try opened(node, writing: true, truncate: true)
        defer { closed(node, writing: true) }
        try write(node, offset: 0, bytes.raw)
        try flush(node)
        return node
    }

    @discardableResult
    func save(_ name: String, _ text: String, in parent: Node = .root) throws(Errno) -> Node {
        try save(name, Array(text.utf8), in: parent)
    }

    /// open without O_TRUNC, pwrite, close.
    func overwrite(_ node: Node, at offset: UInt64, _ bytes: [UInt8]) throws(Errno) {
        try opened(node, writing: true, truncate: false)
        defer { closed(node, writing: true) }
        try write(node, offset: offset, bytes.raw)
        try flush(node)
    }

    func resize(_ node: Node, to size: Int) throws(Errno) {
        var changes = AttributeChanges()
        changes.size = UInt64(size)
        try setAttributes(of: node, changes)
    }

    func bytes(_ node: Node, from offset: Int = 0, count: Int = .max >> 1) throws(Errno) -> [UInt8] {
        var result: [UInt8] = []
        try read(node, offset: UInt64(offset), count: min(count, 1 << 30)) { result = $0.copied }
        return result
    }

    func bytes(_ name: String, in parent: Node = .root) throws(Errno) -> [UInt8] {
        try bytes(try find(name, in: parent))
    }

    func text(_ name: String, in parent: Node = .root) throws(Errno) -> String {
        String(decoding: try bytes(name, in: parent), as: UTF8.self)
    }

    func move(
        _ name: String, in parent: Node = .root, to newName: String, into newParent: Node = .root,
        flags: RenameFlags = []
    ) throws(Errno) {
        try rename(Array(name.utf8).raw, in: parent, to: Array(newName.utf8).raw, in: newParent, flags: flags)
    }

    func unlink(_ name: String, in parent: Node = .root) throws(Errno) {
        try unlink(Array(name.utf8).raw, in: parent)
    }

    func removeDirectory(_ name: String, in parent: Node = .root) throws(Errno) {
        try removeDirectory(Array(name.utf8).raw, in: parent)
    }

    @discardableResult
    func link(_ node: Node, _ name: String, in parent: Node = .root) throws(Errno) -> Attributes {
        try link(node, Array(name.utf8).raw, in: parent, remember: false)
    }

    func names(in node: Node = .root) throws(Errno) -> [String] {
        var names: [String] = []
        try readDirectory(node, after: 0, remember: false) { name, _, _, _, _ in
            names.append(String(decoding: name.copied, as: UTF8.self))
            return true
        }
        return names
    }

    /// The contents of the earlier versions, newest first.
    func versions(of node: Node) throws(Errno) -> [String] {
        var texts: [String] = []
        for version in try history(of: node) {
            texts.append(String(decoding: try read(version: version).withBytes { $0.copied }, as: UTF8.self))
        }
        return texts
    }
}
