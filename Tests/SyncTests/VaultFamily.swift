import Format
import Foundation
import Sealing
import Sync
import Synchronization
import SystemPackage

@testable import Vault

/// Three devices' copies of one vault, made once: each schedule works on copies of the files, and opens them without the
/// cost of the password.
final class VaultFamily: Sendable {
    static let three = Result { try VaultFamily(count: 3) }

    /// The files.
    private let vaults: [Data]
    private let accountKey: AccountKey
    private let enrolments: [Enrolment?]
    /// Who may shut devices out.
    let admin: Admin
    var count: Int { enrolments.count }

    final class Admin: Sendable {
        let key: AdminKey

        init(_ key: consuming AdminKey) { self.key = key }
    }

    /// A new folder for vaults whose files need not last: in memory, where the system has a place for that.
    static func folder(_ name: String) -> URL {
        let memory = "/dev/shm"
        let base =
            FileManager.default.isWritableFile(atPath: memory)
            ? URL(fileURLWithPath: memory) : FileManager.default.temporaryDirectory
        return base.appendingPathComponent("\(name) \(UUID().uuidString)")
    }

    private init(count: Int) throws {
        let path = Self.folder("vault family")
        try FileManager.default.createDirectory(at: path, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: path) }
        let directory = FilePath(path.path)
        let password = unsafe try MasterPassword(utf8: Array("plum violet anchor 47".utf8).span.bytes)
        let options = Vault.CreationOptions(parameters: .floor, stateDirectory: directory.appending("state"))
        let first = try Vault.create(at: directory.appending("0"), password: password, options: options)
        let origin = try first.replicaOrigin()
        accountKey = first.accountKey
        let admin = unsafe try AdminKey(
            wrap: origin.adminWrap.span.bytes, password: password, vault: origin.vault.pair, accountKey: accountKey)
        try first.close()
        var enrolments: [Enrolment?] = [nil]
        for number in 1..<count {
            let device = Identifier.random()
            let keys = DeviceKeys()
            enrolments.append(
                Enrolment(
                    vault: origin.vault.pair, device: device.pair, keys: keys, kit: (1, 1), epoch: 1, seconds: 0,
                    admin: admin))
            let replica = try Vault.createReplica(
                at: directory.appending("\(number)"), of: origin, accountKey: accountKey, device: device,
                deviceKeys: keys, password: password, options: options)
            try replica.close()
        }
        (self.enrolments, self.admin) = (enrolments, Admin(admin))
        vaults = try (0..<count).map { try Data(contentsOf: path.appendingPathComponent("\($0)")) }
    }

    /// A device's vault as it was made, in a folder.
    func copy(_ device: Int, to folder: FilePath) throws {
        try FileManager.default.createDirectory(atPath: folder.string, withIntermediateDirectories: true)
        try vaults[device].write(to: URL(fileURLWithPath: folder.appending("vault.coffer").string))
    }

    func open(_ folder: FilePath) throws -> Vault {
        let options = Vault.OpenOptions(stateDirectory: folder.appending("state"))
        return try Vault.open(LockedVault(folder.appending("vault.coffer"), options), accountKey, options)
    }

    func keys(_ device: Int, _ vault: Vault) throws -> SyncKeys { try SyncKeys(vault, enrolment: enrolments[device]) }
}

/// One device: a vault in a folder of its own, as programs use it.
final class VaultDevice {
    let family: VaultFamily
    let folder: FilePath
    let keys: SyncKeys
    private(set) var vault: Vault
    private(set) var replica: VaultReplica

    init(_ number: Int, of family: VaultFamily, in directory: FilePath) throws {
        self.family = family
        folder = directory.appending("\(number)")
        try family.copy(number, to: folder)
        vault = try family.open(folder)
        replica = VaultReplica(vault)
        keys = try family.keys(number, vault)
    }

    func reopen() throws {
        try vault.close()
        vault = try family.open(folder)
        replica = VaultReplica(vault)
    }

    // MARK: What programs do

    struct Item {
        var name: String
        var parent: Node
        var node: Node
        var path: String
        var isDirectory: Bool
        /// The identifier of the directory that it is in.
        var directory: Identifier
    }

    /// Everything in the tree, in the order of paths.
    func items() throws -> [Item] {
        var items: [Item] = []
        func walk(_ directory: Node, _ path: String) throws {
            var names: [String] = []
            try vault.readDirectory(directory, after: 0, remember: false) { name, _, _, _, _ in
                unsafe names.append(String(decoding: name.withUnsafeBytes { unsafe [UInt8]($0) }, as: UTF8.self))
                return true
            }
            for name in names.sorted() {
                let (node, status) = unsafe try vault.lookup(
                    Array(name.utf8).span.bytes, in: directory, remember: false)
                let isDirectory = status.mode & FileType.mask == FileType.directory
                items.append(
                    Item(
                        name: name, parent: directory, node: node, path: path + name, isDirectory: isDirectory,
                        directory: vault.tree.withLock { $0.inode(at: UInt32(directory.rawValue)).identifier }))
                if isDirectory { try walk(node, path + name + "/") }
            }
        }
        try walk(.root, "")
        return items
    }

    /// Paths and contents; directories end with a slash.
    func tree() throws -> [String: String] {
        var tree: [String: String] = [:]
        for item in try items() {
            if item.isDirectory { tree[item.path + "/"] = "" } else { tree[item.path] = try text(item.node) }
        }
        return tree
    }

    func text(_ node: Node) throws -> String {
        var bytes: [UInt8] = []
        try vault.read(node, offset: 0, count: 1 << 24) { span in
            unsafe bytes = span.withUnsafeBytes { unsafe [UInt8]($0) }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    func make(_ name: String, in parent: Node, mode: UInt32) throws -> Node {
        unsafe try vault.makeNode(
            Array(name.utf8).span.bytes, in: parent, mode: mode, owner: (1000, 1000), device: 0, remember: false
        ).0
    }

    /// open(O_TRUNC), write, close.
    func write(_ text: String, to node: Node) throws {
        try vault.opened(node, writing: true, truncate: true)
        defer { vault.closed(node, writing: true) }
        unsafe try vault.write(node, offset: 0, Array(text.utf8).span.bytes)
        try vault.flush(node)
    }

    func move(_ item: Item, to parent: Node, as name: String) throws(Errno) {
        unsafe try vault.rename(
            Array(item.name.utf8).span.bytes, in: item.parent, to: Array(name.utf8).span.bytes, in: parent, flags: [])
    }

    func remove(_ item: Item) throws(Errno) {
        let name = Array(item.name.utf8)
        if item.isDirectory {
            unsafe try vault.removeDirectory(name.span.bytes, in: item.parent)
        } else {
            unsafe try vault.unlink(name.span.bytes, in: item.parent)
        }
    }
}
