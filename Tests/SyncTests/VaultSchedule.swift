import Format
import Foundation
import Sync
import Synchronization
import SystemPackage

@testable import Vault

/// One run of several devices on one remote, as ``Schedule``, but of real vaults in temporary folders.
///
/// With ``twins``, replicas of dictionaries are told the same and sync in the same way: then each register has to be the
/// same after each step.
final class VaultSchedule {
    let directory: FilePath
    var random: Randomness
    let devices: [VaultDevice]
    let remote: SharedRemote
    let remotes: [MemoryRemote]
    var twins: Twins?
    /// Where people and their programs do whatever they like; empty in the other schedules.
    private var folders: [HistoryFolder] = []
    var log: [String] = [] {
        didSet { if isTraced, let last = log.last { print(last) } }
    }
    var isTraced = false
    var failures: [String] = []
    var written: Set<String> = []
    var gone: Set<String> = []
    private var count = 0

    init(seed: UInt64, isTwinned: Bool, hasHabits: Bool = false) throws {
        let family = try VaultFamily.three.get()
        let path = VaultFamily.folder("schedule")
        directory = FilePath(path.path)
        random = Randomness(seed: seed)
        let number = 2 + Int(seed % 2)
        let shared = SharedRemote(devices: number)
        remote = shared
        remotes = (0..<number).map { MemoryRemote(shared, device: $0) }
        let folder = directory
        devices = try (0..<number).map { try VaultDevice($0, of: family, in: folder) }
        if isTwinned { twins = Twins(devices) }
        guard hasHabits else { return }
        folders = devices.map { HistoryFolder($0, "h") }
        try folders[0].make()
    }

    deinit {
        for folder in folders { folder.closeAll() }
        for device in devices { try? device.vault.close() }
        try? FileManager.default.removeItem(atPath: directory.string)
    }

    func run(steps: Int) async {
        await sync(0, mayFail: false)
        deliver(1)
        for _ in 0..<steps where failures.isEmpty {
            let device = random.below(devices.count)
            switch random.below(20) {
            case 0..<11: edit(device)
            case 11..<16: await sync(device, mayFail: true)
            case 16: reopen(device)
            default: deliver(Double(random.below(10)) / 10)
            }
        }
        await settle()
        check()
    }

    private func deliver(_ portion: Double) {
        var copy = random
        twins?.remote.deliver(portion, using: &copy)
        remote.deliver(portion, using: &random)
    }

    private func reopen(_ device: Int) {
        log.append("reopen \(device)")
        if !folders.isEmpty { folders[device].closeAll() }
        do { try devices[device].reopen() } catch { failures.append("device \(device) does not open: \(error)") }
    }

    private func settle() async {
        for _ in 0..<12 where failures.isEmpty {
            var moved = 0
            for device in devices.indices {
                deliver(1)
                moved += await sync(device, mayFail: false)
            }
            if moved == 0 { return }
        }
        if failures.isEmpty { failures.append("it does not come to rest") }
    }

    @discardableResult
    private func sync(_ device: Int, mayFail: Bool) async -> Int {
        let isCutOff = mayFail && random.below(3) == 0
        let (calls, carriesOut) = (isCutOff ? random.below(12) : .max, random.below(2) == 0)
        remotes[device].fail(after: calls, carryingOut: carriesOut)
        var environment = SyncEnvironment(
            date: { "2026-01-01" }, deviceName: Array("device\(device)".utf8),
            segmentBytes: twins == nil ? 2000 : 1 << 20)
        // A change that is refused is a fault to be found.
        environment.rules.setsAside = false
        let outcome = await Outcome(
            SyncEngine(
                replica: devices[device].replica, remote: remotes[device], keys: devices[device].keys,
                environment: environment))
        log.append("sync \(device): \(outcome), \(calls) calls")
        if let twin = twins?.replicas[device], let remote = twins?.remotes[device] {
            remote.fail(after: calls, carryingOut: carriesOut)
            let other = await Outcome(
                SyncEngine(replica: twin, remote: remote, keys: devices[device].keys, environment: environment))
            if outcome != other { failures.append("device \(device): \(outcome), its twin: \(other)") }
            compare(device)
        }
        switch outcome {
        case .moved(let up, let down, _): return up + down
        case .stopped(.remote(.unreachable)) where isCutOff: return 0
        case .stopped(let error):
            failures.append("device \(device) stops: \(error)")
            return 0
        }
    }

    /// What a run came to.
    enum Outcome: Equatable {
        case moved(up: Int, down: Int, [Conflict])
        case stopped(SyncError)

        init<R: Replica>(_ engine: SyncEngine<R>) async {
            do throws(SyncError) {
                let report = try await engine.sync()
                self = .moved(up: report.pushedSegments, down: report.pulledSegments, report.conflicts)
            } catch {
                self = .stopped(error)
            }
        }
    }

    private func compare(_ device: Int) {
        guard failures.isEmpty, let difference = twins?.difference(device, devices[device]) else { return }
        failures.append("device \(device) is not as its twin: \(difference)")
    }

    // MARK: Edits

    private func edit(_ device: Int) {
        do {
            if !folders.isEmpty { return try live(device) }
            let items = try devices[device].items()
            let directories = [Node.root] + items.filter(\.isDirectory).map(\.node)
            let parent = directories[random.below(directories.count)]
            let kind = random.below(12)
            if kind < 2 {
                try make(device, "n\(random.below(6))", in: parent, items)
            } else if kind == 2 {
                try makeDirectory(device, "d\(random.below(4))", in: parent, items)
            } else if !items.isEmpty {
                let item = items[random.below(items.count)]
                switch kind {
                case 3..<7: try write(device, item)
                case 7, 8: try move(device, item, to: parent, as: "n\(random.below(6))", items)
                case 9: try editOtherwise(device, item, in: parent)
                default: try remove(device, item)
                }
            }
            compare(device)
        } catch {
            failures.append("an edit fails: \(error)")
        }
    }

    /// One of all calls and habits that there are, in the folder for that.
    private func live(_ device: Int) throws {
        let folder = folders[device]
        let before = try folder.counts()
        count += 1
        let step = HistoryStep.any(count, &random)
        log.append("\(device): \(step)")
        let owed = folder.perform(step)
        let after = try folder.counts()
        if let owed, after[owed] == nil { failures.append("nowhere is \(owed), of \(step)") }
        // Of two files with one word each of two devices may remove one.
        gone.formUnion(before.filter { after[$0.key] ?? 0 < $0.value }.keys)
        // Those that come again and again cannot be followed.
        written.formUnion(after.keys.filter { before[$0] == nil && $0.hasPrefix("w") })
    }

    /// A word that is nowhere else.
    private func fresh() -> String {
        count += 1
        written.insert("t\(count)")
        return "t\(count)"
    }

    private static func words(_ text: String) -> Set<String> {
        Set(text.split { $0 == "\n" || $0 == " " }.map(String.init).filter { $0.hasPrefix("t") })
    }

    private func isTaken(_ name: String, in parent: Node, _ items: [VaultDevice.Item]) -> Bool {
        items.contains { $0.parent == parent && $0.name == name }
    }

    private func make(_ device: Int, _ name: String, in parent: Node, _ items: [VaultDevice.Item]) throws {
        guard !isTaken(name, in: parent, items) else { return }
        let isTwin = random.below(6) == 0
        let text = isTwin ? "same\n" : "\(fresh())\nuser: 0\nurl: 0\nnote: 0\n"
        log.append("\(device) make \(name) in \(parent.rawValue): \(text.prefix(5))")
        let node = try devices[device].make(name, in: parent, mode: 0o100600)
        try devices[device].write(text, to: node)
        try twins?.take(device, devices[device], .made(name, parent))
    }

    private func makeDirectory(
        _ device: Int, _ name: String, in parent: Node, _ items: [VaultDevice.Item]
    ) throws {
        guard !isTaken(name, in: parent, items) else { return }
        log.append("\(device) mkdir \(name)")
        _ = try devices[device].make(name, in: parent, mode: 0o040700)
        try twins?.take(device, devices[device], .made(name, parent))
    }

    /// Changes one field; without twins, some become large.
    private func write(_ device: Int, _ item: VaultDevice.Item) throws {
        guard !item.isDirectory else { return }
        let before = try devices[device].text(item.node)
        var lines = before.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        let line = min(random.below(4), lines.count - 1)
        lines[line] = (line == 0 ? "" : lines[line].prefix { $0 != " " } + " ") + fresh()
        if twins == nil, random.below(4) == 0 {
            lines.append("x" + String(repeating: "x", count: random.below(90_000)))
        }
        let after = lines.joined(separator: "\n")
        log.append("\(device) write \(item.path) line \(line) \(lines[line])")
        gone.formUnion(VaultSchedule.words(before).subtracting(VaultSchedule.words(after)))
        try devices[device].write(after, to: item.node)
        try twins?.take(device, devices[device], .written(item.node))
    }

    private func move(
        _ device: Int, _ item: VaultDevice.Item, to parent: Node, as name: String, _ items: [VaultDevice.Item]
    ) throws {
        guard !isTaken(name, in: parent, items) else { return }
        do throws(Errno) {
            log.append("\(device) mv \(item.path) \(name)")
            try devices[device].move(item, to: parent, as: name)
        } catch {
            // Into itself.
            if error == .invalidArgument { return }
            throw error
        }
        try twins?.take(device, devices[device], .made(name, parent))
    }

    private func remove(_ device: Int, _ item: VaultDevice.Item) throws {
        let text = item.isDirectory ? "" : try devices[device].text(item.node)
        let isLast = try devices[device].vault.attributes(of: item.node).links == 1
        do throws(Errno) {
            let entry = devices[device].entry(of: item)
            // Twins do not know that a file which has taken another one's name goes on with its lineage.
            if twins != nil { devices[device].vault.departures.withLock { $0 = Departures() } }
            try devices[device].remove(item)
            log.append("\(device) rm \(item.path)")
            if isLast { gone.formUnion(VaultSchedule.words(text)) }
            try? twins?.take(device, devices[device], .removed(entry))
        } catch {
            if error == .directoryNotEmpty { return }
            throw error
        }
    }

    /// What the replicas of dictionaries know nothing of: saves by renaming, links, modes.
    private func editOtherwise(_ device: Int, _ item: VaultDevice.Item, in parent: Node) throws {
        guard twins == nil, !item.isDirectory else { return }
        switch random.below(3) {
        case 0:
            log.append("\(device) chmod \(item.path)")
            var changes = AttributeChanges()
            changes.mode = 0o400
            try devices[device].vault.setAttributes(of: item.node, changes)
        case 1:
            let name = Array("l\(random.below(4))".utf8)
            log.append("\(device) ln \(item.path)")
            _ = unsafe try? devices[device].vault.link(item.node, name.span.bytes, in: parent, remember: false)
        default:
            guard try devices[device].vault.attributes(of: item.node).links == 1 else { return }
            log.append("\(device) save \(item.path)")
            gone.formUnion(VaultSchedule.words(try devices[device].text(item.node)))
            let node = try devices[device].make("new.part", in: item.parent, mode: 0o100600)
            try devices[device].write("\(fresh())\nuser: 0\n", to: node)
            var part = item
            part.name = "new.part"
            try devices[device].move(part, to: item.parent, as: item.name)
        }
    }

    // MARK: What must hold

    private func tree(_ device: Int) throws -> [String: String] {
        try folders.isEmpty ? devices[device].tree() : folders[device].picture()
    }

    private func check() {
        guard failures.isEmpty else { return }
        do {
            for folder in folders { folder.closeAll() }
            let trees = try devices.indices.map(tree)
            for (device, tree) in trees.enumerated().dropFirst() where tree != trees[0] {
                let keys = Set(trees[0].keys).union(tree.keys).filter { trees[0][$0] != tree[$0] }.sorted()
                failures.append(
                    "I7: device \(device) differs at "
                        + "\(keys.map { "\($0): \(trees[0][$0]?.prefix(40) ?? "-") / \(tree[$0]?.prefix(40) ?? "-")" })"
                )
            }
            let there = try folders.first?.words() ?? VaultSchedule.words(trees[0].values.joined(separator: "\n"))
            let lost = written.subtracting(gone).subtracting(there)
            if !lost.isEmpty { failures.append("I6: lost \(lost.sorted())") }
            for (number, device) in devices.enumerated() {
                let report = try device.vault.verify { _, _ in }
                if !report.damage.isEmpty { failures.append("damage: \(report.damage)") }
                try device.reopen()
                if try tree(number) != trees[0] { failures.append("another tree after opening again") }
            }
        } catch {
            failures.append("at the end: \(error)")
        }
    }
}
