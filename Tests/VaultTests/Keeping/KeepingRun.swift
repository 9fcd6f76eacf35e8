import Format
import Sealing
import SystemPackage

@testable import Vault

/// A random sequence of what programs do, with what is kept giving way in between.
final class KeepingRun {
    private let fixture: Fixture
    private var vault: Vault
    private var random: Randomness
    /// The live contents, by their names.
    private var contents: [String: [UInt8]] = [:]
    /// Files that a program has open, with what they hold.
    private var open: [(node: Node, bytes: [UInt8], name: String)] = []
    private(set) var log: [String] = []

    private static let names = ["a", "b", "c", "a~"]

    init(_ fixture: Fixture, seed: UInt64) throws {
        self.fixture = fixture
        random = Randomness(seed: seed)
        vault = try fixture.create()
        vault.maintenance.stop()
    }

    private func below(_ count: Int) -> Int { Int(random.next() % UInt64(count)) }

    private func content() -> [UInt8] { random.bytes([40, 900, 3000, 70_000, 200_000, 330_000][below(6)]) }

    func step() throws {
        let name = Self.names[below(Self.names.count)]
        switch below(14) {
        case 0, 1: try save(name)
        case 2: try overwrite(name)
        case 3: try replace(name)
        case 4: try keepBackup("a")
        case 5, 6: try remove(name)
        case 7: try move(name, Self.names[below(Self.names.count)])
        case 8: try hold(name)
        case 9, 10: try writeHeld()
        case 11: try letGo()
        case 12: try giveWay()
        default: try reopen()
        }
    }

    private func save(_ name: String) throws {
        let bytes = content()
        log.append("save \(name) \(bytes.count)")
        // It is open: the file changes under the program.
        let node = try vault.save(name, bytes)
        contents[name] = bytes
        for place in open.indices where open[place].node == node { open[place].bytes = bytes }
    }

    private func overwrite(_ name: String) throws {
        guard let old = contents[name], !old.isEmpty else { return }
        let (offset, bytes) = (below(old.count), random.bytes(1 + below(80_000)))
        log.append("overwrite \(name) at \(offset), \(bytes.count)")
        let node = try vault.find(name)
        try vault.overwrite(node, at: UInt64(offset), bytes)
        let new = Self.written(bytes, at: offset, into: old)
        contents[name] = new
        for place in open.indices where open[place].node == node { open[place].bytes = new }
    }

    private static func written(_ bytes: [UInt8], at offset: Int, into old: [UInt8]) -> [UInt8] {
        let gap = [UInt8](repeating: 0, count: max(0, offset - old.count))
        return Array(old.prefix(offset)) + gap + bytes + old.dropFirst(offset + bytes.count)
    }

    /// As editors save: a new file is renamed over the old one.
    private func replace(_ name: String) throws {
        let bytes = content()
        log.append("replace \(name) \(bytes.count)")
        try vault.save("new", bytes)
        try vault.move("new", to: name)
        contents[name] = bytes
    }

    private func keepBackup(_ name: String) throws {
        guard contents[name] != nil else { return }
        log.append("backup \(name)")
        try vault.move(name, to: name + "~")
        contents[name + "~"] = contents.removeValue(forKey: name)
        try save(name)
    }

    private func remove(_ name: String) throws {
        guard contents[name] != nil else { return }
        log.append("remove \(name)")
        try vault.unlink(name)
        contents[name] = nil
    }

    private func move(_ name: String, _ other: String) throws {
        guard let bytes = contents[name], name != other else { return }
        let exchanges = contents[other] != nil && below(2) == 0
        log.append("\(exchanges ? "exchange" : "move") \(name) \(other)")
        try vault.move(name, to: other, flags: exchanges ? .exchange : [])
        contents[name] = exchanges ? contents[other] : nil
        contents[other] = bytes
    }

    private func hold(_ name: String) throws {
        guard let bytes = contents[name], open.count < 3 else { return }
        let node = try vault.find(name)
        log.append("open \(name)")
        try vault.opened(node, writing: true, truncate: false)
        open.append((node, bytes, name))
    }

    private func writeHeld() throws {
        guard !open.isEmpty else { return }
        let place = below(open.count)
        let (offset, bytes) = (below(open[place].bytes.count + 1), random.bytes(1 + below(80_000)))
        log.append("write through \(open[place].name) at \(offset), \(bytes.count)")
        let (node, new) = (open[place].node, Self.written(bytes, at: offset, into: open[place].bytes))
        try vault.write(node, offset: UInt64(offset), bytes.raw)
        if below(2) == 0 { try vault.synchronize(node) }
        for other in open.indices where open[other].node == node { open[other].bytes = new }
        for name in contents.keys where (try? vault.find(name)) == node { contents[name] = new }
    }

    private func letGo() throws {
        guard !open.isEmpty else { return }
        let file = open.remove(at: below(open.count))
        log.append("close \(file.name)")
        try vault.flush(file.node)
        vault.closed(file.node, writing: true)
    }

    private func giveWay() throws {
        let bytes: UInt64 = [1000, 100_000, 500_000, .max][below(4)]
        log.append("give up \(bytes)")
        vault.giveUp(bytes, vault.keptBytes(), most: .max)
    }

    private func reopen() throws {
        while !open.isEmpty { try letGo() }
        log.append("reopen")
        vault = try fixture.reopen(vault)
        vault.maintenance.stop()
    }

    /// What is not as it should be; nil where all is well.
    func complaint() throws -> String? {
        for (name, bytes) in contents where try vault.bytes(name) != bytes { return "\(name) has another content" }
        for file in open where try vault.bytes(file.node) != file.bytes {
            return "what was \(file.name) and is open has another content"
        }
        for name in contents.keys {
            for version in try vault.history(of: vault.find(name)) {
                do { _ = try vault.read(version: version) } catch { return "a version of \(name): \(error)" }
            }
        }
        return nil
    }

    func end() throws {
        while !open.isEmpty { try letGo() }
        if let damage = try vault.verify(progress: { _, _ in }).damage.first { log.append("damaged: \(damage)") }
        try vault.close()
    }
}
