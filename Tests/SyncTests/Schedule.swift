import Format
import Sync
import Testing

/// One run of several devices on one remote, made of a seed: edits, syncs that are cut off, deliveries out of order; and,
/// by the seed, compaction, devices that join in the middle, restored and cloned databases, a remote that is restored.
struct Schedule {
    /// What may happen besides edits, syncs and deliveries.
    enum Kind { case edits, compaction, restore, clone, rollback }

    let seed: UInt64
    let kind: Kind
    var random: Randomness
    let family = Family.eight
    let remote: SharedRemote
    /// The devices, in the order in which they came; a cloned database is one more.
    var replicas: [MemoryReplica] = []
    var remotes: [MemoryRemote] = []
    /// Whose keys each of them has.
    var identities: [Int] = []
    var engines: [SyncEngine<MemoryReplica>?] = []
    var rules = ProtocolRules()
    /// Devices get new account keys meanwhile, also several at once.
    var rotates = false
    /// Rotations of the first two devices may shut out one of the others.
    var revokes = false
    /// The remote shows some of the devices another history, for a while.
    var divides = false
    var isDivided = false
    /// Whom a rotation was to shut out, and who was by one that was done.
    var accused: Set<Int> = []
    var condemned: Set<Int> = []
    /// Who has read that it is out.
    var out: Set<Int> = []
    /// The steps, for whoever has to understand a failure.
    var log: [String] = [] {
        didSet { if isTraced, let last = log.last { print(last) } }
    }
    var isTraced = false
    var failures: [String] = []
    /// Two histories of one device were found: there is no going on from that by itself.
    var isForked = false
    /// What was written, and what took its place knowingly.
    var written: Set<String> = []
    var gone: Set<String> = []
    var count = 0
    /// Older states, to go back to.
    var databases: [Int: MemoryReplica] = [:]
    var backup: SharedRemote.Backup?
    var hasGoneBack = false
    /// How many entries devices showed differently after that, until they compared.
    var mended = 0
    var spare = 4

    init(seed: UInt64, rules: ProtocolRules = ProtocolRules()) {
        (self.seed, self.rules) = (seed, rules)
        random = Randomness(seed: seed)
        kind =
            [Kind.edits, .edits, .compaction, .compaction, .compaction, .restore, .clone, .rollback][Int(seed / 3 % 8)]
        remote = SharedRemote(devices: 4)
        for _ in 0..<(2 + Int(seed % 3)) where kind == .edits || replicas.count < 3 { addDevice() }
    }

    private mutating func addDevice() {
        let device = replicas.count
        replicas.append(MemoryReplica(device: family.devices[device], top: family.vault))
        remotes.append(MemoryRemote(remote, device: device))
        identities.append(device)
        engines.append(nil)
    }

    /// The engine of a device: the same as before, unless the program has ended meanwhile.
    mutating func engine(_ device: Int) -> SyncEngine<MemoryReplica> {
        if let engine = engines[device] { return engine }
        var environment = SyncEnvironment(
            date: { "2026-01-01" }, deviceName: Array("device\(identities[device])".utf8), segmentBytes: 600,
            segmentsBeforeSnapshot: kind == .edits ? 1000 : 3)
        environment.hintsBeforeLook = 3
        environment.rules = rules
        // A change that is refused is a fault to be found.
        environment.rules.setsAside = false
        let engine = SyncEngine(
            replica: replicas[device], remote: remotes[device], keys: family.keys[identities[device]],
            environment: environment)
        engines[device] = engine
        return engine
    }

    mutating func run(steps: Int) async {
        // The first device makes the vault before the others join it.
        await sync(0, mayFail: false)
        remote.deliver(1, using: &random)
        if rotates { await settle() }
        if kind != .edits {
            for device in replicas.indices { await sync(device, mayFail: false) }
            remote.deliver(1, using: &random)
        }
        for _ in 0..<steps where failures.isEmpty && !isForked {
            let device = random.below(replicas.count)
            if rotates, random.below(8) == 0 { await rotate(device) }
            if divides, random.below(isDivided ? 12 : 6) == 0 { divide() }
            switch random.below(20) {
            case 0..<10: edit(device)
            case 10..<16: await sync(device, mayFail: true)
            case 16: await disturb(device)
            default: remote.deliver(Double(random.below(10)) / 10, using: &random)
            }
            checkStep()
        }
        if !isForked { await settle() }
    }

    private mutating func divide() {
        isDivided.toggle()
        let apart: Set<Int> = isDivided ? Set((0..<4).filter { _ in random.below(2) == 0 }) : []
        log.append(isDivided ? "two histories: \(apart.sorted()) and the others" : "one history again")
        remote.divide(apart)
    }

    mutating func rotate(_ device: Int) async {
        let isCutOff = random.below(2) == 0
        var others: [Int] = []
        if revokes, device < 2, replicas.count > 2, random.below(2) == 0 {
            others = [2 + random.below(replicas.count - 2)]
            accused.formUnion(others)
        }
        remotes[device].fail(after: isCutOff ? random.below(12) : .max, carryingOut: random.below(2) == 0)
        do throws(SyncError) {
            let limits = others.map { (family.devices[$0], UInt64?.none) }
            _ = try await engine(device).rotate(
                admin: family.admin.key, shuttingOut: Dictionary(uniqueKeysWithValues: limits), seconds: 0)
            log.append("rotate \(device) without \(others)")
            condemned.formUnion(others)
        } catch {
            log.append("rotate \(device) without \(others): \(error)")
            if case .remote(.unreachable) = error, isCutOff { return }
            if case .revoked = error { return noteShutOut(device) }
            failures.append("device \(device) does not rotate: \(error)")
        }
    }

    private mutating func noteShutOut(_ device: Int) {
        if !accused.contains(device) { failures.append("device \(device) is out, and nobody wanted it") }
        out.insert(device)
    }

    /// Who is out by the end reads nothing that is written then; who is not reads it.
    mutating func checkShutOut() async {
        guard revokes, failures.isEmpty else { return }
        if !condemned.isSubset(of: out) { failures.append("\(condemned) are to be out, and \(out) are") }
        let last = "after everything"
        do throws(SyncError) {
            let (top, id) = (family.vault, Identifier(using: &random))
            try replicas[0].edit { (t) throws(SyncError) in try t.make("last", in: top, last, id: id) }
        } catch {
            failures.append("an edit fails: \(error)")
        }
        written.insert(last)
        await settle()
        for device in replicas.indices where texts(device).contains(last) == out.contains(device) {
            failures.append("device \(device) \(out.contains(device) ? "reads on" : "reads no more")")
        }
    }

    /// Everything arrives and everybody syncs until nothing moves any more.
    mutating func settle() async {
        if isDivided { divide() }
        var quiet = 0
        for _ in 0..<24 where failures.isEmpty && !isForked {
            var moved = 0
            for device in replicas.indices {
                remote.deliver(1, using: &random)
                engines[device] = nil
                moved += await sync(device, mayFail: false)
                checkStep()
            }
            // What is missing is looked for elsewhere at the second look.
            quiet = moved == 0 ? quiet + 1 : 0
            if quiet == (kind == .edits ? 1 : 2) { return }
        }
        guard failures.isEmpty, !isForked else { return }
        failures.append("it does not come to rest")
    }

    @discardableResult
    mutating func sync(_ device: Int, mayFail: Bool) async -> Int {
        let isCutOff = mayFail && random.below(3) == 0
        let isPush = mayFail && random.below(4) == 0
        remotes[device].fail(after: isCutOff ? random.below(24) : .max, carryingOut: random.below(2) == 0)
        let before = texts(device)
        defer { checkTexts(device, before) }
        do throws(SyncError) {
            let report = isPush ? try await engine(device).push() : try await engine(device).sync()
            note(device, report)
            await checkRemoved(by: device)
            return report.pushedSegments + report.pulledSegments + report.waiting + report.removedObjects
                + (report.startedFrom == nil ? 0 : 1)
        } catch {
            log.append("sync \(device): \(error)")
            if case .remote(.unreachable) = error, isCutOff { return 0 }
            if case .revoked = error {
                noteShutOut(device)
                return 0
            }
            // Nobody waits for it with the old canary, and what says why may come after that is gone.
            if case .canaryMismatch = error, mayFail, accused.contains(device) { return 0 }
            return await goOn(device, after: error)
        }
    }

    private mutating func note(_ device: Int, _ report: SyncReport) {
        let settled = report.conflicts.filter { if case .settled = $0 { true } else { false } }
        // Nothing is to be mended where nobody went back.
        if !settled.isEmpty, !hasGoneBack {
            failures.append("I7: device \(device) differs from a snapshot: \(settled)")
        }
        mended += settled.count
        let start = report.startedFrom.map { ", from \($0.sequence) of \($0.device.low)" } ?? ""
        log.append(
            "sync \(device): \(report.pushedSegments) up, \(report.pulledSegments) down, \(report.waiting) wait, "
                + "\(report.removedObjects) removed\(report.hasCompacted ? ", snapshot" : "")\(start), \(report.conflicts)"
                + " \(report.damaged)")
    }

    /// The ways out of an alarm, where there is reason for one.
    private mutating func goOn(_ device: Int, after error: SyncError) async -> Int {
        engines[device] = nil
        remotes[device].fail(after: .max, carryingOut: false)
        do throws(SyncError) {
            switch error {
            // Both have written while the remote kept them apart: no device has the whole of either history.
            case .cloned where divides && remote.hasTwins: isForked = true
            case .cloned where hasGoneBack && kind != .rollback && spare < family.devices.count:
                log.append("\(device) becomes \(spare)")
                identities[device] = spare
                spare += 1
                try await engine(device).becomeDevice()
                note(device, try await engine(device).sync())
            case .rolledBack where hasGoneBack && kind == .rollback:
                log.append("\(device) accepts")
                do throws(SyncError) {
                    note(device, try await engine(device).acceptRollback())
                } catch {
                    guard case .rolledBack = error else { throw error }
                    note(device, try await engine(device).rebuildRemote())
                }
            case .forked where hasGoneBack && kind == .clone: isForked = true
            default: failures.append("device \(device) stops: \(error)")
            }
        } catch {
            if case .forked = error, kind == .clone {
                isForked = true
            } else {
                failures.append("device \(device) does not go on: \(error)")
            }
        }
        return 1
    }

    // MARK: What else may happen

    private mutating func disturb(_ device: Int) async {
        switch kind {
        case .edits: return
        case .compaction: if replicas.count < 4 { await join() } else { engines[device] = nil }
        case .restore:
            guard !hasGoneBack, let old = databases[device] else {
                databases[device] = replicas[device].copy()
                return
            }
            // What was never sent is lost with the database; what was sent comes back.
            guard replicas[device].store.own.isEmpty, replicas[device].store.outbox.isEmpty else { return }
            log.append("\(device) is restored")
            (replicas[device], engines[device], hasGoneBack) = (old, nil, true)
        case .clone:
            guard !hasGoneBack, replicas[device].store.state != nil else { return }
            log.append("\(device) is cloned")
            replicas.append(replicas[device].copy())
            // Both may be shown the same remote, or each its own.
            let view = divides ? replicas.count - 1 : device
            remote.copyView(of: device, to: view)
            remotes.append(MemoryRemote(remote, device: view))
            identities.append(identities[device])
            engines.append(nil)
            hasGoneBack = true
        case .rollback:
            guard !hasGoneBack, let old = backup else {
                backup = remote.backup()
                return
            }
            log.append("the remote is restored")
            remote.restore(old)
            for device in replicas.indices { engines[device] = nil }
            hasGoneBack = true
        }
    }

    /// A device comes that begins with what is there.
    private mutating func join() async {
        let device = replicas.count
        remote.deliver(1, using: &random)
        addDevice()
        log.append("\(device) joins")
        for _ in 0..<4 where replicas[device].store.state == nil {
            await sync(device, mayFail: true)
        }
        await sync(device, mayFail: false)
    }
}
