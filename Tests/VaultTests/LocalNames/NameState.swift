import Format
import Synchronization
import SystemPackage

@testable import Vault

/// A vault on which steps are performed, with what is owed to its user: every content that stood at a shared name.
final class NameState {
    private let vault: Vault
    private var opened: [Node] = []
    private(set) var owed: Set<String> = []

    init(_ vault: Vault) throws { self.vault = vault }

    /// What the system would refuse changes nothing.
    func perform(_ step: NameStep) throws {
        do throws(Errno) { try make(step) } catch {}
        noteOwed()
    }

    func closeAll() {
        for node in opened { vault.closed(node, writing: true) }
        opened = []
    }

    private func make(_ step: NameStep) throws(Errno) {
        switch step {
        case .save(let path, let content, let isLarge):
            let (parent, name) = try place(path)
            let text = "\(content)" + (isLarge ? String(repeating: " \(content)", count: 40_000) : "")
            // Programs would wait for a FIFO and follow a link.
            if let node = try? vault.find(name, in: parent) { try requireFile(node) }
            try vault.save(name, text, in: parent)
        case .create(let path):
            let (parent, name) = try place(path)
            try vault.make(name, in: parent)
        case .link(let old, let new):
            let ((oldParent, oldName), (parent, name)) = (try place(old), try place(new))
            try vault.link(vault.find(oldName, in: oldParent), name, in: parent)
        case .symbolicLink(let path):
            let (parent, name) = try place(path)
            _ = try vault.makeSymbolicLink(
                Array(name.utf8).raw, in: parent, target: Array("target".utf8).raw, owner: Vault.me, remember: false)
        case .rename(let old, let new, let flags):
            let ((oldParent, oldName), (parent, name)) = (try place(old), try place(new))
            try vault.move(
                oldName, in: oldParent, to: name, into: parent, flags: Vault.RenameFlags(rawValue: flags))
        case .unlink(let path):
            let (parent, name) = try place(path)
            try vault.unlink(name, in: parent)
        case .makeDirectory(let name): try vault.makeDirectory(name)
        case .removeDirectory(let name): try vault.removeDirectory(name)
        case .open(let path, let truncate):
            let (parent, name) = try place(path)
            let node = try vault.find(name, in: parent)
            try requireFile(node)
            try vault.opened(node, writing: true, truncate: truncate)
            opened.append(node)
        case .write(let content):
            guard let node = opened.last else { return }
            try vault.write(node, offset: 0, Array("w\(content)".utf8).raw)
            try vault.flush(node)
        case .close: if let node = opened.popLast() { vault.closed(node, writing: true) }
        case .share: try vault.replicate(translating: { $0 }) { (_) throws(Errno) in }
        }
    }

    private func requireFile(_ node: Node) throws(Errno) {
        guard try vault.attributes(of: node).mode & FileType.mask == FileType.regular else { throw .invalidArgument }
    }

    private func place(_ path: String) throws(Errno) -> (Node, String) {
        let parts = path.split(separator: "/").map(String.init)
        guard parts.count == 2 else { return (.root, path) }
        return (try vault.find(parts[0]), parts[1])
    }

    /// Of a file that is open, what will be saved is not known yet.
    private func noteOwed() {
        let shared = vault.tree.withLock { tree in
            tree.dentries.indices.dropFirst().filter { index in
                let dentry = tree.dentries[index]
                let inode = tree.inode(at: dentry.node)
                return dentry.parent != 0 && !dentry.isLocal && inode.isRegular && inode.opens == 0 && inode.size > 0
            }.map { Node(index: Int(tree.dentries[$0].node)) }
        }
        for node in shared {
            if let text = try? vault.bytes(node, count: 32) { owed.insert(NameJudge.mark(text)) }
        }
    }
}
