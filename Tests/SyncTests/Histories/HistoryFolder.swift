import Format
import Sealing
import Synchronization
import SystemPackage

@testable import Vault

/// The folder of one history on one device: what programs do in it, and what is to be seen there.
final class HistoryFolder: HistoryPlace {
    let device: VaultDevice
    let name: String
    var opened: [(file: Node, isWanted: Bool)] = []

    init(_ device: VaultDevice, _ name: String) { (self.device, self.name) = (device, name) }

    private var vault: Vault { device.vault }

    func make() throws { _ = try device.make(name, in: .root, mode: 0o040700) }

    // MARK: Calls

    func isNamed(_ file: Node) -> Bool { (try? vault.attributes(of: file).links) ?? 0 > 0 }

    func open(_ path: String) throws -> Node {
        let node = try file(path)
        try vault.opened(node, writing: true, truncate: false)
        return node
    }

    func close(_ file: Node) { vault.closed(file, writing: true) }

    func append(_ path: String, _ text: String) throws { try append(text, to: file(path)) }

    func truncate(_ path: String) throws { try write("", to: file(path)) }

    func create(_ path: String) throws { _ = try make(path, mode: FileType.regular | 0o600) }

    func makeDirectory(_ path: String) throws { _ = try make(path, mode: FileType.directory | 0o700) }

    func makeFIFO(_ path: String) throws { _ = try make(path, mode: FileType.fifo | 0o600) }

    func makeSymbolicLink(_ path: String, to target: String) throws {
        let (parent, name) = try place(path)
        _ = unsafe try vault.makeSymbolicLink(
            Array(name.utf8).span.bytes, in: parent, target: Array(target.utf8).span.bytes, owner: (1000, 1000),
            remember: false)
    }

    func setMode(_ path: String, _ mode: UInt32) throws {
        let node = try node(path)
        if try kind(node) == FileType.symbolicLink { throw Errno.notSupported }
        var changes = AttributeChanges()
        changes.mode = mode
        try vault.setAttributes(of: node, changes)
    }

    func setTime(_ path: String, _ seconds: Int64) throws {
        var changes = AttributeChanges()
        changes.modified = Timestamp(seconds: seconds, nanoseconds: 7)
        try vault.setAttributes(of: node(path), changes)
    }

    func setAttribute(_ path: String, _ value: String) throws {
        unsafe try vault.setExtendedAttribute(
            Array("user.x".utf8).span.bytes, to: Array(value.utf8).span.bytes, of: node(path), flag: .any)
    }

    func save(_ path: String, _ text: String) throws {
        // Programs would wait for a FIFO and follow a link.
        if let node = try? node(path) {
            guard try kind(node) == FileType.regular else { throw Errno.invalidArgument }
            return try write(text, to: node)
        }
        try write(text, to: make(path, mode: FileType.regular | 0o600))
    }

    private func write(_ text: String, to node: Node) throws(Errno) {
        try vault.opened(node, writing: true, truncate: true)
        defer { vault.closed(node, writing: true) }
        if !text.isEmpty { unsafe try vault.write(node, offset: 0, Array((text + "\n").utf8).span.bytes) }
        try vault.flush(node)
    }

    func append(_ text: String, to node: Node) throws {
        try vault.opened(node, writing: true, truncate: false)
        defer { vault.closed(node, writing: true) }
        let end = try vault.attributes(of: node).size
        unsafe try vault.write(node, offset: end, Array((text + "\n").utf8).span.bytes)
        try vault.flush(node)
    }

    private func make(_ path: String, mode: UInt32) throws(Errno) -> Node {
        let (parent, name) = try place(path)
        return unsafe try vault.makeNode(
            Array(name.utf8).span.bytes, in: parent, mode: mode, owner: (1000, 1000), device: 0, remember: false
        ).0
    }

    func rename(_ old: String, _ new: String) throws { try rename(old, new, []) }

    func exchange(_ old: String, _ new: String) throws { try rename(old, new, .exchange) }

    private func rename(_ old: String, _ new: String, _ flags: Vault.RenameFlags) throws {
        let (source, target) = (try place(old), try place(new))
        unsafe try vault.rename(
            Array(source.name.utf8).span.bytes, in: source.parent, to: Array(target.name.utf8).span.bytes,
            in: target.parent, flags: flags)
    }

    func link(_ old: String, _ new: String) throws {
        let (node, target) = (try node(old), try place(new))
        guard try kind(node) != FileType.directory else { throw Errno.notPermitted }
        _ = unsafe try vault.link(node, Array(target.name.utf8).span.bytes, in: target.parent, remember: false)
    }

    func unlink(_ path: String) throws {
        let (parent, name) = try place(path)
        unsafe try vault.unlink(Array(name.utf8).span.bytes, in: parent)
    }

    func removeTree(_ path: String) throws {
        let (parent, name) = try place(path)
        let node = try node(path)
        guard try kind(node) == FileType.directory else { return try unlink(path) }
        for child in try names(in: node) { try removeTree("\(path)/\(child)") }
        unsafe try vault.removeDirectory(Array(name.utf8).span.bytes, in: parent)
    }

    // MARK: Names

    private func place(_ path: String) throws(Errno) -> (parent: Node, name: String) {
        var parts = path.split(separator: "/").map(String.init)
        let last = parts.removeLast()
        var parent = try find(name, in: .root)
        for part in parts { parent = try find(part, in: parent) }
        return (parent, last)
    }

    private func node(_ path: String) throws(Errno) -> Node {
        let (parent, name) = try place(path)
        return try find(name, in: parent)
    }

    private func file(_ path: String) throws(Errno) -> Node {
        let node = try node(path)
        guard try kind(node) == FileType.regular else { throw .invalidArgument }
        return node
    }

    private func find(_ name: String, in parent: Node) throws(Errno) -> Node {
        unsafe try vault.lookup(Array(name.utf8).span.bytes, in: parent, remember: false).0
    }

    private func kind(_ node: Node) throws(Errno) -> UInt32 { try vault.attributes(of: node).mode & FileType.mask }

    private func names(in directory: Node) throws(Errno) -> [String] {
        var names: [String] = []
        try vault.readDirectory(directory, after: 0, remember: false) { name, _, _, _, _ in
            unsafe names.append(String(decoding: name.withUnsafeBytes { unsafe [UInt8]($0) }, as: UTF8.self))
            return true
        }
        return names.sorted()
    }

    // MARK: What is to be seen

    struct Item {
        var path: String
        var node: Node
        var isLocal: Bool
    }

    /// All that is in the folder, in the order of paths.
    func everything() throws(Errno) -> [Item] {
        var items: [Item] = []
        func walk(_ directory: Node, _ path: String, _ isLocal: Bool) throws(Errno) {
            for name in try names(in: directory) {
                let node = try find(name, in: directory)
                let own = vault.tree.withLock { tree in
                    tree.find(unsafe Array(name.utf8).span.bytes, in: directory).map { tree.dentry(at: $0).isLocal }
                }
                let item = Item(path: path + name, node: node, isLocal: isLocal || own == true)
                items.append(item)
                if try kind(node) == FileType.directory { try walk(node, item.path + "/", item.isLocal) }
            }
        }
        guard let top = try? find(name, in: .root) else { return [] }
        try walk(top, "", false)
        return items
    }

    func paths() throws -> [String] { try everything().map(\.path).sorted() }

    func texts() throws -> [Set<String>] {
        var files: [Node: Set<String>] = [:]
        for item in try everything() where try !item.isLocal && kind(item.node) == FileType.regular {
            files[item.node] = Set(try device.text(item.node).split(whereSeparator: \.isWhitespace).map(String.init))
        }
        return Array(files.values)
    }

    func picture() throws -> [String: String] {
        var picture: [String: String] = [:]
        let items = try everything().filter { !$0.isLocal }
        for item in items {
            let attributes = try vault.attributes(of: item.node)
            var text = String(attributes.mode, radix: 8)
            switch attributes.mode & FileType.mask {
            case FileType.regular:
                text += " \(attributes.modified.seconds).\(attributes.modified.nanoseconds) "
                text += try device.text(item.node)
                let names = items.filter { $0.node == item.node }.map(\.path)
                if names.count > 1 { text += " is \(names)" }
            case FileType.symbolicLink:
                text += " -> " + Self.text(try vault.symbolicLinkTarget(of: item.node))
            default: break
            }
            picture[item.path] = text + attribute(of: item.node)
        }
        return picture
    }

    private func attribute(of node: Node) -> String {
        do {
            return unsafe try " " + Self.text(vault.extendedAttribute(Array("user.x".utf8).span.bytes, of: node))
        } catch {
            return ""
        }
    }

    private static func text(_ buffer: borrowing PlainBuffer) -> String {
        buffer.withBytes { String(decoding: $0.copied, as: UTF8.self) }
    }
}

extension RawSpan {
    fileprivate var copied: [UInt8] { unsafe withUnsafeBytes { unsafe [UInt8]($0) } }
}
