import Format
import Sync
import Testing

/// One run of several devices on one remote, made of a seed: edits, syncs that are cut off, deliveries out of order.
struct Schedule {
    let seed: UInt64
    var random: Randomness
    let family = Family.four
    let remote: SharedRemote
    var replicas: [MemoryReplica]
    let remotes: [MemoryRemote]
    var rules = ProtocolRules()
    /// Devices get new account keys meanwhile, also several at once.
    var rotates = false
    /// The steps, for whoever has to understand a failure.
    var log: [String] = [] {
        didSet { if isTraced, let last = log.last { print(last) } }
    }
    var isTraced = false
    var failures: [String] = []
    /// What was written, and what took its place knowingly.
    var written: Set<String> = []
    var gone: Set<String> = []
    var count = 0

    init(seed: UInt64, rules: ProtocolRules = ProtocolRules()) {
        (self.seed, self.rules) = (seed, rules)
        random = Randomness(seed: seed)
        let devices = 2 + Int(seed % 3)
        let remote = SharedRemote(devices: devices)
        self.remote = remote
        let vault = family.vault
        let identifiers = family.devices
        replicas = (0..<devices).map { MemoryReplica(device: identifiers[$0], top: vault) }
        remotes = (0..<devices).map { MemoryRemote(remote, device: $0) }
    }

    func engine(_ device: Int) -> SyncEngine<MemoryReplica> {
        var environment = SyncEnvironment(
            date: { "2026-01-01" }, deviceName: Array("device\(device)".utf8), segmentBytes: 600)
        environment.rules = rules
        return SyncEngine(
            replica: replicas[device], remote: remotes[device], keys: family.keys[device], environment: environment)
    }

    mutating func run(steps: Int) async {
        // The first device makes the vault before the others join it.
        await sync(0, mayFail: false)
        remote.deliver(1, using: &random)
        if rotates { await settle() }
        for _ in 0..<steps where failures.isEmpty {
            let device = random.below(replicas.count)
            if rotates, random.below(8) == 0 { await rotate(device) }
            switch random.below(10) {
            case 0..<5: edit(device)
            case 5..<8: await sync(device, mayFail: true)
            default: remote.deliver(Double(random.below(10)) / 10, using: &random)
            }
        }
        await settle()
    }

    mutating func rotate(_ device: Int) async {
        let isCutOff = random.below(2) == 0
        remotes[device].fail(after: isCutOff ? random.below(12) : .max, carryingOut: random.below(2) == 0)
        do throws(SyncError) {
            _ = try await engine(device).rotate(admin: family.admin.key, seconds: 0)
            log.append("rotate \(device)")
        } catch {
            log.append("rotate \(device): \(error)")
            if case .remote(.unreachable) = error, isCutOff { return }
            failures.append("device \(device) does not rotate: \(error)")
        }
    }

    /// Everything arrives and everybody syncs until nothing moves any more.
    mutating func settle() async {
        for _ in 0..<12 where failures.isEmpty {
            var moved = 0
            for device in replicas.indices {
                remote.deliver(1, using: &random)
                moved += await sync(device, mayFail: false)
            }
            if moved == 0 { return }
        }
        if failures.isEmpty { failures.append("it does not come to rest") }
    }

    @discardableResult
    mutating func sync(_ device: Int, mayFail: Bool) async -> Int {
        let isCutOff = mayFail && random.below(3) == 0
        remotes[device].fail(after: isCutOff ? random.below(12) : .max, carryingOut: random.below(2) == 0)
        do throws(SyncError) {
            let report = try await engine(device).sync()
            log.append(
                "sync \(device): \(report.pushedSegments) up, \(report.pulledSegments) down, \(report.conflicts)")
            return report.pushedSegments + report.pulledSegments
        } catch {
            log.append("sync \(device): \(error)")
            if case .remote(.unreachable) = error, isCutOff { return 0 }
            failures.append("device \(device) stops: \(error)")
            return 0
        }
    }

    // MARK: Edits

    mutating func edit(_ device: Int) {
        let (entries, directories) = shown(device)
        let parent = directories[random.below(directories.count)]
        let id = Identifier(using: &random)
        do throws(SyncError) {
            switch random.below(10) {
            case 0, 1: try make(device, in: parent, id)
            case 2:
                let name = "d\(random.below(4))"
                log.append("\(device) mkdir \(name)")
                try replicas[device].edit { (t) throws(SyncError) in try t.make(name, in: parent, nil, id: id) }
            case 3, 4, 5: if !entries.isEmpty { write(device, entries[random.below(entries.count)]) }
            case 6, 7:
                if !entries.isEmpty {
                    let entry = entries[random.below(entries.count)].placement.entry
                    let name = "n\(random.below(6))"
                    log.append("\(device) mv \(entry.hexadecimal.prefix(4)) \(name)")
                    try replicas[device].edit { (t) throws(SyncError) in try t.move(entry, to: parent, as: name) }
                }
            default: if !entries.isEmpty { try remove(device, entries[random.below(entries.count)]) }
            }
        } catch {
            failures.append("an edit fails: \(error)")
        }
    }

    private func shown(_ device: Int) -> (entries: [EntryRegister], directories: [Identifier]) {
        let store = replicas[device].store
        let shown = store.entries.values.filter(\.isShown).sorted { $0.placement.entry < $1.placement.entry }
        let directories = shown.map(\.placement.lineage).filter { store.lineages[$0]?.isDirectory == true }
        return (shown, [family.vault] + directories)
    }

    private mutating func fresh() -> String {
        count += 1
        let text = "text \(count)"
        written.insert(text)
        return text
    }

    private mutating func make(_ device: Int, in parent: Identifier, _ id: Identifier) throws(SyncError) {
        let name = "n\(random.below(6))"
        let text = fresh()
        log.append("\(device) make \(name) \(text) \(id.hexadecimal.prefix(4))")
        try replicas[device].edit { (t) throws(SyncError) in try t.make(name, in: parent, text, id: id) }
        if replicas[device].store.entries[id] == nil { written.remove(text) }
    }

    private mutating func write(_ device: Int, _ register: EntryRegister) {
        let lineage = register.placement.lineage
        guard replicas[device].store.lineages[lineage]?.isRegular == true else { return }
        if let before = replicas[device].store.contents[lineage] {
            gone.insert(String(decoding: before, as: UTF8.self))
        }
        let text = fresh()
        log.append("\(device) write \(register.placement.entry.hexadecimal.prefix(4)) \(text)")
        try? replicas[device].edit { (t) throws(SyncError) in t.write(text, to: lineage) }
    }

    private mutating func remove(_ device: Int, _ register: EntryRegister) throws(SyncError) {
        let before = replicas[device].store
        try replicas[device].edit { (t) throws(SyncError) in try t.remove(register.placement.entry) }
        guard replicas[device].store.entries[register.placement.entry]?.isShown == false else { return }
        log.append("\(device) rm \(register.placement.entry.hexadecimal.prefix(4))")
        if let bytes = before.contents[register.placement.lineage] {
            gone.insert(String(decoding: bytes, as: UTF8.self))
        }
    }
}
