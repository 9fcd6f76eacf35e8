import Foundation
import Sealing
import SystemPackage
import TestSupport
import Vault

/// A vault of the mount tests, opened in the test's own process.
enum TestedVault {
    /// The vault of a home's `.local`, or of a copy of that.
    static func open(below directory: String) throws(VaultError) -> Vault {
        let password: MasterPassword
        do throws(PasswordError) {
            password = try unsafe MasterPassword(utf8: Array(TestVault.password.utf8).span.bytes)
        } catch {
            throw .wrongPassword
        }
        return try Vault.open(
            at: FilePath("\(directory)/share/coffer/vault.coffer"), password: password,
            options: .init(stateDirectory: FilePath("\(directory)/state")))
    }
}

extension Vault {
    /// Everything that is in it, by paths.
    var holdings: [String: Holding] {
        get throws {
            var found: [String: Holding] = [:]
            try collect(.root, "", &found)
            return found
        }
    }

    /// mkdir(2) at the top.
    func makeDirectory(_ name: String) throws(Errno) {
        let name = Array(name.utf8)
        let mode = UInt32(S_IFDIR | 0o700)
        _ = try unsafe makeNode(
            name.span.bytes, in: .root, mode: mode, owner: (0, 0), device: 0, remember: false)
    }

    private func collect(_ directory: Node, _ prefix: String, _ found: inout [String: Holding]) throws {
        for (name, node, isDirectory) in try children(of: directory) {
            if isDirectory {
                found[prefix + name] = .directory
                try collect(node, "\(prefix)\(name)/", &found)
            } else {
                var content = Data()
                try read(node, offset: 0, count: 1 << 30) { bytes in
                    content = unsafe bytes.withUnsafeBytes { unsafe Data($0) }
                }
                found[prefix + name] = .file(content)
            }
        }
    }

    private func children(of node: Node) throws(Errno) -> [(String, Node, Bool)] {
        var children: [(String, Node, Bool)] = []
        try readDirectory(node, after: 0, remember: false) { name, node, attributes, _, _ in
            let text = unsafe name.withUnsafeBytes { unsafe String(decoding: $0, as: UTF8.self) }
            if text != ".", text != ".." {
                children.append((text, node, attributes.mode & S_IFMT == S_IFDIR))
            }
            return true
        }
        return children
    }
}
