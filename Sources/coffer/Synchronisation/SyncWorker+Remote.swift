internal import Format
internal import Sealing
internal import Sync
internal import Vault
internal import VaultFileSystem

extension SyncWorker {
    func showRemote() throws -> SyncOutcome {
        let remote = try settings().remote
        let isWaiting = remote?.hasWaitingCommand ?? false
        return SyncOutcome(
            remote: RemoteView(url: remote?.url, login: remote?.login, hasWaitingCommand: isWaiting ? true : nil))
    }

    /// A remote is set once it was reached, and is empty or this vault's.
    func setRemote(_ remote: RemoteSettings, creates: Bool, _ secret: Secret) async throws -> SyncOutcome {
        try requireMasterPassword(secret)
        var (settings, remote) = (try settings(), remote)
        if let password = secret.secondLine { remote.password = password }
        let large = vault.filesTooLargeToShare(most: 3)
        guard large.isEmpty else {
            throw Failure(
                .otherError, "Files of more than 8 GiB cannot go to other devices: \(large.joined(separator: ", ")).",
                hint: "Take them out of the vault or split them, then set the remote.")
        }
        let session = try open(remote, settings, creates: creates)
        let isEmpty = try await engine(session, isSet: false) { (engine) async throws(SyncError) in
            try await engine.checkRemote()
        }
        settings.remote = remote
        try save(settings)
        forget()
        let what = isEmpty ? "It is empty: `coffer sync` fills it." : "It has this vault already."
        return SyncOutcome(notes: [
            "The remote is \(remote.url). \(what) Kits that you issue from now on carry its address."
        ])
    }

    func clearRemote(_ secret: Secret) throws -> SyncOutcome {
        try requireMasterPassword(secret)
        var settings = try settings()
        guard let remote = settings.remote else { return SyncOutcome(notes: ["No remote was set."]) }
        settings.remote = nil
        try save(settings)
        forget()
        return SyncOutcome(notes: ["The remote \(remote.url) is forgotten; what is there stays there."])
    }

    func sync(_ manner: SyncManner, _ secret: Secret) async throws -> SyncOutcome {
        var predecessor: Identifier?
        switch manner {
        case .asNewDevice: predecessor = try await becomeNewDevice(secret)
        case .acceptingRollback, .rebuilding: try requireMasterPassword(secret)
        case .plain: break
        }
        var (session, notes) = (try current(), [String]())
        if manner == .plain { try checkFolder(session, lacks: "v1") }
        var found = try await run(manner, session, mayBeOlder: manner == .plain && secret.bytes.count > 0)
        if found == nil {
            predecessor = try await becomeNewDevice(secret)
            session = try current()
            found = try await run(.plain, session, mayBeOlder: false)
            notes = [
                "The remote has later changes of this device than the backup that was restored: it goes on as a device "
                    + "of its own, \(try settings().deviceName)."
            ]
        }
        guard let report = found else { throw CancellationError() }
        await note(report, session)
        var outcome = SyncOutcome(summary: SyncSummary(report, vault, overview.devices))
        switch manner {
        case .plain: outcome.notes = notes
        case .acceptingRollback: outcome.notes = ["What the remote had lost of this device is there again."]
        case .rebuilding: outcome.notes = ["The remote was written anew from what is here."]
        case .asNewDevice: outcome.notes = ["This vault's file goes on as a device of its own."]
        }
        outcome.notes += try await takenBack(report, session)
        if let predecessor { outcome.notes.append(try await retire(predecessor, secret)) }
        return outcome
    }
}

extension SyncWorker {
    /// That edits were taken back which do not count.
    private func takenBack(_ report: SyncReport, _ session: SyncSession) async throws -> [String] {
        guard !report.takenBack.isEmpty else { return [] }
        let status = try await engine(session) { (engine) async throws(SyncError) in try await engine.status() }
        return try status.devices.compactMap { device in
            guard let undone = report.takenBack[device.identifier] else { return nil }
            let count = undone.done.values.reduce(0, +)
            let left = undone.left.isEmpty ? "" : " \(undone.left.count + undone.notListed) could not be taken back."
            let label = try settings().label(of: device)
            return "\(label) had written on after it was revoked: what it did to \(count) entries is taken back.\(left)"
        }
    }

    /// - Parameter mayBeOlder: the vault may be a restored backup.
    /// - Returns: nil where it is one, and the remote has later changes of this device: nothing has happened then.
    private func run(
        _ manner: SyncManner, _ session: SyncSession, mayBeOlder: Bool
    ) async throws -> SyncReport? {
        let isRestored = mayBeOlder ? try settings().restored != nil : false
        return try await engine(session) { (engine) async throws(SyncError) in
            do throws(SyncError) {
                switch manner {
                // A person who asks wants to know.
                case .plain, .asNewDevice: return try await engine.sync(whole: true)
                case .acceptingRollback: return try await engine.acceptRollback()
                case .rebuilding: return try await engine.rebuildRemote()
                }
            } catch {
                guard isRestored, error == .cloned else { throw error }
                return nil
            }
        }
    }
}

extension SyncSummary {
    /// - Parameter devices: as they are known here.
    init(_ report: SyncReport, _ vault: Vault, _ devices: [SyncOverview.Device] = []) {
        (pushedChanges, pushedSegments) = (report.pushedChanges, report.pushedSegments)
        (pulledChanges, pulledSegments) = (report.pulledChanges, report.pulledSegments)
        (waiting, damaged, refused) = (report.waiting, report.damaged, report.refused)
        withheld = report.withheld.map(\.object)
        newer = report.newer
        for conflict in report.conflicts.map({ ConflictView($0, vault) }) where !conflicts.contains(conflict) {
            conflicts.append(conflict)
        }
        let objects = damaged + withheld + report.newer
        awaited = report.awaited.map { SyncOverview.Awaited($0, devices) }
        setAside = report.refusedChanges.map { SyncOverview.SetAside($0, vault, devices) }
        sources = devices.filter { !$0.isThisOne }.map { SourceView(name: $0.name, id: $0.id, lastRead: $0.lastSeen) }
            .filter { source in objects.contains { source.wrote($0) } }
    }

    /// nil where all was well.
    var failure: Failure? {
        guard damaged.isEmpty else { return .damaged(damaged, more: notListed, of: sources(of: damaged)) }
        return newer.flatMap { $0.isEmpty ? nil : .newer($0, of: sources(of: $0)) }
    }

    /// The devices that have written these objects.
    func sources(of objects: [String]) -> [SourceView] {
        sources.filter { source in objects.contains { source.wrote($0) } }
    }
}

extension SyncOverview.Awaited {
    /// - Parameter devices: as they are known here; one that is to introduce itself is called by its id.
    init(_ segment: AwaitedSegment, _ devices: [SyncOverview.Device]) {
        let id = segment.device.hexadecimal
        self.init(
            name: devices.first { $0.id == id }?.name ?? String(id.prefix(8)), id: id, segment: segment.sequence,
            last: segment.last, isFollowed: segment.isFollowed)
    }
}

extension SyncOverview.SetAside {
    /// - Parameter devices: as they are known here.
    init(_ change: RefusedChange, _ vault: Vault, _ devices: [SyncOverview.Device]) {
        let id = change.device.hexadecimal
        let name = String(decoding: change.name, as: UTF8.self)
        self.init(
            path: vault.path(ofEntry: change.entry) ?? (name.isEmpty ? "an entry without a name" : name),
            device: devices.first { $0.id == id }?.name ?? String(id.prefix(8)))
    }
}

extension ConflictView {
    fileprivate init(_ conflict: Conflict, _ vault: Vault) {
        func path(_ entry: Identifier) -> String { vault.path(ofEntry: entry) ?? "an entry that is gone" }
        switch conflict {
        case .merged(let entry): self.init(kind: .merged, path: path(entry))
        case .copied(let entry, let copy): self.init(kind: .copied, path: path(entry), copy: path(copy))
        case .renamed(let entry): self.init(kind: .renamed, path: path(entry))
        case .joined(let directory): self.init(kind: .joined, path: path(directory))
        case .movedBack(let entry): self.init(kind: .movedBack, path: path(entry))
        case .revived(let entry): self.init(kind: .revived, path: path(entry))
        case .settled(let entry): self.init(kind: .settled, path: path(entry))
        }
    }
}
