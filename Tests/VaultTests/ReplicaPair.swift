import Format
import Sealing
import Synchronization
import SystemPackage
import Testing

@testable import Vault

/// Two copies of a vault that tell each other what programs have changed, as the engine does where nothing is in
/// conflict.
final class ReplicaPair {
    let fixtures: [Fixture]
    var vaults: [Vault]
    /// What the segments have carried, for tests that look.
    var carried: [[Change]] = []

    init(_ fill: (Vault) throws -> Void = { _ in }) throws {
        let (first, second) = (try Fixture(), try Fixture())
        let vault = try first.create()
        try fill(vault)
        let password = try MasterPassword(Fixture.password)
        let replica = try Vault.createReplica(
            at: second.file, of: vault.replicaOrigin(), accountKey: vault.wrappedKeys().unwrap(password),
            device: .random(), deviceKeys: DeviceKeys(), password: password,
            options: .init(parameters: .floor, stateDirectory: second.state))
        (fixtures, vaults) = ([first, second], [vault, replica])
    }

    var first: Vault { vaults[0] }
    var second: Vault { vaults[1] }

    func reopen() throws {
        for place in vaults.indices { vaults[place] = try fixtures[place].reopen(vaults[place]) }
    }

    func close() throws { for vault in vaults { try vault.close() } }

    /// Both hear of everything, and are the same then.
    func exchange(atMost bytes: Int = 1 << 20, sourceLocation: SourceLocation = #_sourceLocation) throws {
        try push(from: 0, to: 1, atMost: bytes)
        try push(from: 1, to: 0, atMost: bytes)
        try check(sourceLocation: sourceLocation)
    }

    func check(sourceLocation: SourceLocation = #_sourceLocation) throws {
        let trees = try vaults.map { try $0.picture() }
        #expect(trees[0] == trees[1], sourceLocation: sourceLocation)
        for vault in vaults {
            #expect(try vault.verify { _, _ in }.damage == [], sourceLocation: sourceLocation)
        }
    }

    func push(from source: Int, to target: Int, atMost bytes: Int = 1 << 20) throws {
        while true {
            let changes = try vaults[source].replicate(translating: { $0 }) { (transaction) throws(Errno) in
                let changes = try transaction.ownChanges(atMost: bytes)
                try transaction.endSegment()
                return changes
            }
            guard !changes.isEmpty else { return }
            carried.append(changes)
            try ReplicaPair.pull(changes, from: vaults[source], into: vaults[target])
        }
    }

    /// What an engine does with a segment where nothing is in conflict.
    static func pull(_ changes: [Change], from source: Vault, into target: Vault) throws {
        for case .content(let content) in changes {
            let missing = try target.missingChunks(of: content)
            try target.addBlobs(missing.map { ($0.slot, try source.blob(of: $0.slot)) })
        }
        try target.replicate(translating: { $0 }) { (transaction) throws(Errno) in
            try apply(changes, transaction)
        }
    }

    static func apply(_ changes: [Change], _ transaction: ReplicationTransaction) throws(Errno) {
        transaction.lamport = changes.map(\.stamp.lamport).max() ?? 0
        var entries: [EntryChange] = []
        for case .attributes(let attributes) in changes {
            let known = try transaction.lineage(attributes.lineage)
            if let known, known.attributes.stamp > attributes.stamp { continue }
            try transaction.put(attributes)
        }
        for change in changes {
            switch change {
            case .attributes: break
            case .content(let content):
                let known = try transaction.lineage(content.lineage)
                guard let known, !known.heads.contains(content.stamp) else { continue }
                #expect(known.heads.allSatisfy { content.replaces.contains($0) }, "no conflict")
                try transaction.put(content, heads: [content.stamp], rivals: [])
            case .entry(let entry): entries.append(entry)
            case .removal(let removal):
                try place(entries, transaction)
                entries = []
                guard var register = try transaction.entry(removal.entry) else {
                    Issue.record("a removal of what nobody knows")
                    continue
                }
                register.removals.append(removal)
                register.isShown = false
                try transaction.put(register)
            }
        }
        try place(entries, transaction)
    }

    /// Names that change places are free one after the other: what is in the way is hidden first.
    private static func place(_ entries: [EntryChange], _ transaction: ReplicationTransaction) throws(Errno) {
        for entry in entries {
            guard let taken = transaction.entry(in: entry.parent, named: entry.name), taken != entry.entry,
                var register = try transaction.entry(taken)
            else { continue }
            register.isShown = false
            try transaction.put(register)
        }
        for entry in entries {
            if let known = try transaction.entry(entry.entry), known.placement.stamp >= entry.stamp { continue }
            try transaction.put(EntryRegister(placement: entry))
        }
    }
}

extension Vault {
    /// What each path leads to, in words; times of directories are each device's own.
    func picture() throws -> [String] {
        var lines: [String] = []
        try draw(.root, "", &lines)
        return lines.sorted()
    }

    private func draw(_ directory: Node, _ path: String, _ lines: inout [String]) throws {
        for name in try names(in: directory) {
            let node = try find(name, in: directory)
            let status = try attributes(of: node)
            var line = "\(path)/\(name) \(String(status.mode, radix: 8)) \(status.owner):\(status.group)"
            line += " links \(status.links) device \(status.device)"
            let keys = try extendedAttributeNames(of: node).withBytes { $0.copied }
            for key in keys.split(separator: 0) {
                let value = try extendedAttribute(Array(key).raw, of: node).withBytes { $0.copied }
                line += " \(String(decoding: key, as: UTF8.self))=\(value)"
            }
            switch status.mode & FileType.mask {
            case FileType.directory: try draw(node, "\(path)/\(name)", &lines)
            case FileType.symbolicLink:
                line += " -> \(try symbolicLinkTarget(of: node).withBytes { $0.copied })"
            default:
                line += " \(status.size) \(status.modified)"
                let bytes = try self.bytes(node)
                line += " \(bytes.count) \(Digest.blake2b128(bytes.raw))"
            }
            lines.append(line)
        }
    }

    /// A save by writing another file and renaming it over the first.
    func replaceByRenaming(_ name: String, _ text: String, in parent: Node = .root) throws {
        try save("\(name).part", text, in: parent)
        try move("\(name).part", in: parent, to: name, into: parent)
    }
}
