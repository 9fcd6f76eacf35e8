import Format
import Sealing
import Synchronization
import SystemPackage

@testable import Vault

/// The folder of one history on one device: what programs do in it, and what is to be seen there.
final class HistoryFolder: HistoryPlace {
    let device: VaultDevice
    let name: String
    /// Until its user removes a file, what is written through its descriptor has to be somewhere.
    private var opened: [(node: Node, isWanted: Bool)] = []

    init(_ device: VaultDevice, _ name: String) { (self.device, self.name) = (device, name) }

    private var vault: Vault { device.vault }

    func make() throws { _ = try device.make(name, in: .root, mode: 0o040700) }

    func closeAll() {
        for open in opened { vault.closed(open.node, writing: true) }
        opened = []
    }

    // MARK: Calls

    /// What the system would refuse changes nothing.
    ///
    /// - Returns: what was written through a descriptor, and has to be in the folder now.
    func perform(_ step: HistoryStep) -> String? {
        let wereNamed = opened.map { isNamed($0.node) }
        var isRefused = false
        do throws(Errno) { try carryOut(step) } catch { isRefused = true }
        for (index, wasNamed) in zip(opened.indices, wereNamed) where wasNamed && !isNamed(opened[index].node) {
            opened[index].isWanted = false
        }
        guard case .write(let text) = step, !isRefused, let open = opened.last, open.isWanted else { return nil }
        return text
    }

    private func isNamed(_ node: Node) -> Bool { (try? vault.attributes(of: node).links) ?? 0 > 0 }

    private func carryOut(_ step: HistoryStep) throws(Errno) {
        switch step {
        case .save(let path, let text): try save(path, text)
        case .append(let path, let text): try append(text, to: file(path))
        case .truncate(let path): try write("", to: file(path))
        case .replace(let path, let temporary, let text):
            try save(temporary, text)
            try rename(temporary, path)
        case .rewrite(let path, let away, let text):
            try rename(path, away)
            try save(path, text)
            try unlink(away)
        case .create(let path): _ = try make(path, mode: FileType.regular | 0o600)
        case .makeDirectory(let path): _ = try make(path, mode: FileType.directory | 0o700)
        case .rename(let old, let new): try rename(old, new)
        case .exchange(let old, let new): try rename(old, new, .exchange)
        case .link(let old, let new): try link(old, new)
        case .linkOver(let old, let new):
            try link(old, new + ".link")
            try rename(new + ".link", new)
        case .unlink(let path): try unlink(path)
        case .removeTree(let path): try removeTree(path)
        case .remake(let path, let name, let text):
            try removeTree(path)
            _ = try make(path, mode: FileType.directory | 0o700)
            try save("\(path)/\(name)", text)
        case .symbolicLink(let path, let target):
            let (parent, name) = try place(path)
            _ = unsafe try vault.makeSymbolicLink(
                Array(name.utf8).span.bytes, in: parent, target: Array(target.utf8).span.bytes, owner: (1000, 1000),
                remember: false)
        case .fifo(let path): _ = try make(path, mode: FileType.fifo | 0o600)
        case .mode, .attribute, .times: try changeAttributes(step)
        case .open(let path):
            let node = try file(path)
            try vault.opened(node, writing: true, truncate: false)
            opened.append((node, true))
        case .write(let text): if let open = opened.last { try append(text, to: open.node) }
        case .close: if let open = opened.popLast() { vault.closed(open.node, writing: true) }
        case .removeCopy(let number): try unlink(copy(number))
        case .editCopy(let number, let text): try write(text, to: file(copy(number)))
        case .renameCopy(let number, let path): try rename(copy(number), path)
        }
    }

    private func changeAttributes(_ step: HistoryStep) throws(Errno) {
        var changes = AttributeChanges()
        let path: String
        switch step {
        case .mode(let of, let mode): (path, changes.mode) = (of, mode)
        case .times(let of, let seconds):
            (path, changes.modified) = (of, Timestamp(seconds: seconds, nanoseconds: 7))
        case .attribute(let of, let value):
            return unsafe try vault.setExtendedAttribute(
                Array("user.x".utf8).span.bytes, to: Array(value.utf8).span.bytes, of: node(of), flag: .any)
        default: return
        }
        let node = try node(path)
        if changes.mode != nil, try kind(node) == FileType.symbolicLink { throw .notSupported }
        try vault.setAttributes(of: node, changes)
    }

    private func save(_ path: String, _ text: String) throws(Errno) {
        // Programs would wait for a FIFO and follow a link.
        if let node = try? node(path) {
            guard try kind(node) == FileType.regular else { throw .invalidArgument }
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

    private func append(_ text: String, to node: Node) throws(Errno) {
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

    private func rename(_ old: String, _ new: String, _ flags: Vault.RenameFlags = []) throws(Errno) {
        let (source, target) = (try place(old), try place(new))
        unsafe try vault.rename(
            Array(source.name.utf8).span.bytes, in: source.parent, to: Array(target.name.utf8).span.bytes,
            in: target.parent, flags: flags)
    }

    private func link(_ old: String, _ new: String) throws(Errno) {
        let (node, target) = (try node(old), try place(new))
        guard try kind(node) != FileType.directory else { throw .notPermitted }
        _ = unsafe try vault.link(node, Array(target.name.utf8).span.bytes, in: target.parent, remember: false)
    }

    private func unlink(_ path: String) throws(Errno) {
        let (parent, name) = try place(path)
        unsafe try vault.unlink(Array(name.utf8).span.bytes, in: parent)
    }

    private func removeTree(_ path: String) throws(Errno) {
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

    /// The path of a conflict copy.
    private func copy(_ number: Int) throws(Errno) -> String {
        let copies = try everything().filter { $0.path.contains("(conflict, ") }
        guard !copies.isEmpty else { throw .noSuchFileOrDirectory }
        return copies[number % copies.count].path
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

    /// All words of contents, without those of names that stay on a device.
    func words() throws -> Set<String> {
        var words: Set<String> = []
        for item in try everything() where try !item.isLocal && kind(item.node) == FileType.regular {
            for word in try device.text(item.node).split(whereSeparator: \.isWhitespace) { words.insert(String(word)) }
        }
        return words
    }

    /// What every device has to show alike; of names that stay on a device nothing.
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
