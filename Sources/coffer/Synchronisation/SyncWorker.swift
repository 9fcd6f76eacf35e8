internal import Foundation
internal import Sealing
internal import Sync
internal import Synchronization
internal import Vault
internal import VaultFileSystem

/// What is to be done with an open vault and its remote. One thing at a time: ``SyncHost`` sees to that.
final class SyncWorker: Sendable {
    let vault: Vault
    private let session = Mutex<SyncSession?>(nil)
    private let shown = Mutex(SyncOverview())
    let doing = Mutex<String?>(nil)
    private let receipt = Mutex((isOwed: false, isNew: false))
    private let watch = Mutex((hints: HintWatch(), last: ContinuousClock.now - .seconds(86400)))

    private let log: EventLog?
    let commands: CredentialCommands
    /// Whoever asks has not opened the vault, but found it open.
    private let asksForPassword: Bool

    init(_ vault: Vault, asksForPassword: Bool, log: EventLog?, commands: CredentialCommands) {
        (self.vault, self.asksForPassword, self.log, self.commands) = (vault, asksForPassword, log, commands)
        vault.setShared((try? settings().remote) != nil)
    }

    /// What `status` shows; before the first run, what is known without one.
    var overview: SyncOverview {
        var overview = shown.withLock { $0 }
        guard overview.remote == nil, let remote = try? settings().remote else { return overview }
        (overview.remote, overview.lastSync) = (remote.url, LastSync.moment(vault))
        overview.conflicts = conflicts
        return overview
    }

    /// What is being done, in words; nil while nothing takes long.
    var progress: String? { doing.withLock { $0 } }

    /// Where an unlocked vault is found, only who knows the master password may lead its ciphertext elsewhere, or write over
    /// what proves that a remote lied. A wrong one costs as much as a right one, and one is tried at a time.
    func requireMasterPassword(_ secret: Secret) throws {
        guard asksForPassword else { return }
        let password = try MasterPassword.from(secret.firstLine)
        do throws(VaultError) { try vault.wrappedKeys().check(password) } catch {
            throw Failure(error, vault: vault.path)
        }
    }

    /// Synchronising waits for somebody to allow the command that the remote's credential comes from.
    var hasWaitingCommand: Bool { (try? settings().remote?.hasWaitingCommand) ?? false }

    // MARK: The session

    /// The vault's settings; those of a vault that has none yet.
    func settings() throws -> SyncSettings { try SyncSettings.kept(in: vault) }

    func save(_ settings: SyncSettings) throws {
        do throws(VaultError) { try vault.setSyncSettings(settings.encoded) } catch {
            throw Failure(error, vault: vault.path)
        }
        vault.setShared(settings.remote != nil)
    }

    /// The session with the remote that is set, the same as long as that is.
    func current() throws -> SyncSession {
        let settings = try settings()
        guard let remote = settings.remote else { throw Failure.noRemote }
        if let session = session.withLock({ $0 }), session.settings == remote { return session }
        let opened = try open(remote, settings)
        session.withLock { $0 = opened }
        return opened
    }

    func open(_ remote: RemoteSettings, _ settings: SyncSettings, creates: Bool = false) throws -> SyncSession {
        try SyncSession(vault, remote, deviceName: settings.deviceName, creates: creates, commands: commands) {
            [weak self] text in
            self?.doing.withLock { $0 = text }
        }
    }

    /// Another remote is set, or this device is another one.
    func forget() {
        session.withLock { $0 = nil }
        shown.withLock { $0 = SyncOverview() }
    }

    /// Runs something of the engine's; what it throws comes as a sentence.
    ///
    /// - Parameter isSet: the session's remote is the vault's; else it is only tried.
    func engine<R: Sendable>(
        _ session: SyncSession, isSet: Bool = true, _ body: (SyncEngine<VaultReplica>) async throws(SyncError) -> R
    ) async throws -> R {
        doing.withLock { $0 = session.beginning }
        defer { doing.withLock { $0 = nil } }
        do throws(SyncError) { return try await body(session.engine) } catch {
            if error == .remote(.cancelled) { throw CancellationError() }
            throw await session.failure(error, vault, isSet: isSet)
        }
    }

    // MARK: By itself

    func perform(_ step: SyncPlan.Step) async -> SyncPlan.Outcome {
        do {
            guard try settings().remote != nil else {
                shown.withLock { $0 = SyncOverview() }
                return .stopped
            }
            let session = try current()
            try checkFolder(session, lacks: "v1/vault")
            receipt.withLock { $0.isNew = false }
            if step == .look, try await !hasNews(session) { return .done }
            if step == .acknowledge {
                try await engine(session) { (engine) async throws(SyncError) in try await engine.acknowledge() }
                await noteReceipt(session, isNew: false)
                return .done
            }
            let report = try await engine(session) { (engine) async throws(SyncError) in
                try await (step == .push ? engine.push() : engine.sync())
            }
            await note(report, session)
            tellLog(shown.withLock { $0.trouble })
            return .done
        } catch {
            let outcome = note(error)
            if outcome != .cancelled { tellLog(Failure(error, vault: vault.path).message) }
            return outcome
        }
    }

    private func tellLog(_ trouble: String?) {
        log?.note(
            .synchronising, trouble.map { "Synchronising did not work: \($0)" }, relief: "Synchronising works again.")
    }

    /// Below the mount point of a disk that is not plugged in there is an empty folder, in which nothing is begun anew.
    func checkFolder(_ session: SyncSession, lacks path: String) throws {
        guard let folder = session.folder, LastSync.moment(vault) != nil,
            !FileManager.default.fileExists(atPath: "\(folder)/\(path)")
        else { return }
        throw Failure(
            .remoteUnreachable,
            "Nothing of this vault is in \(folder) any more: is its disk plugged in, its server mounted?",
            hint: "Changes wait here until it is. Where it was emptied for good, `coffer remote rebuild` writes it "
                + "anew.")
    }

    /// A folder is looked at each second, which costs two calls of stat(2) where nothing has changed; as often as it is
    /// polled, and for other remotes, the engine asks.
    private func hasNews(_ session: SyncSession) async throws -> Bool {
        if let folder = session.folder {
            let now = ContinuousClock.now
            let isWorth = watch.withLock { watch in
                let isWorth = watch.hints.hasChanged(folder) || watch.last.duration(to: now) > .seconds(30)
                if isWorth { watch.last = now }
                return isWorth
            }
            guard isWorth else { return false }
        }
        let hasNews = try await engine(session) { (engine) async throws(SyncError) in try await engine.hasNews() }
        // What others have read is news for `status` only.
        if !hasNews {
            let devices = await devices(session)
            shown.withLock { if $0.remote != nil { $0.devices = devices } }
        }
        return hasNews
    }

    /// Whether the others are to be told of what was read, and whether anything was read in the last step.
    var reading: (isOwed: Bool, isNew: Bool) { receipt.withLock { $0 } }

    private func noteReceipt(_ session: SyncSession, isNew: Bool) async {
        let isOwed = await session.engine.owesReceipt
        receipt.withLock { $0 = (isOwed, isNew) }
    }

    /// After what time to look again, where that costs next to nothing.
    var look: Duration? { session.withLock { $0?.folder } == nil ? nil : .seconds(1) }

    private var conflicts: [String] { Array(VaultReplica(vault).conflicts.prefix(100)) }

    /// What a run has shown, for `status`.
    func note(_ report: SyncReport, _ session: SyncSession) async {
        LastSync.note(vault)
        await noteReceipt(session, isNew: report.pulledSegments > 0)
        forgetRestoring()
        let (devices, paths) = (await devices(session), conflicts)
        shown.withLock { shown in
            shown = SyncOverview()
            shown.remote = session.settings.url
            shown.lastSync = LastSync.moment(vault)
            shown.conflicts = paths
            shown.devices = devices
            shown.awaited = report.awaited.map { SyncOverview.Awaited($0, devices) }
            let summary = SyncSummary(report, vault, devices)
            shown.setAside = summary.setAside.map { Array($0.prefix(100)) }
            if let failure = summary.failure { shown.trouble = failure.message }
        }
    }

    /// The remote has nothing of this device that a restored backup lacks: it goes on as itself.
    private func forgetRestoring() {
        guard var settings = try? settings(), settings.restored != nil else { return }
        settings.restored = nil
        try? save(settings)
    }

    /// What went wrong, for `status`, and what becomes of what happens by itself.
    private func note(_ error: any Error) -> SyncPlan.Outcome {
        if error is CancellationError { return .cancelled }
        let failure = Failure(error, vault: vault.path)
        let isAlarm = [.remoteRolledBack, .remoteForked, .mismatch, .deviceRevoked].contains(failure.code)
        shown.withLock { shown in
            shown.remote = (try? settings().remote?.url) ?? shown.remote
            shown.lastSync = LastSync.moment(vault)
            if isAlarm {
                var alarm = failure.alarm ?? SyncOverview.Alarm(message: failure.message)
                alarm.message = "\(failure.message) \(failure.hint ?? "")"
                shown.alarms = [alarm]
            } else {
                shown.trouble = failure.message
            }
        }
        return isAlarm ? .stopped : .unreachable
    }
}

/// How a job ended, and what that means for what happens by itself.
struct JobResult: Sendable {
    var reply: SyncReply
    /// nil where the job was not about the remote.
    var outcome: SyncPlan.Outcome?
    /// Something was set that a whole run has to follow.
    var owesSync = false
}

extension SyncWorker {
    /// What a verb has asked for.
    func perform(_ job: JobList.Job) async -> JobResult {
        var reply = SyncReply(job: job.number, isDone: true)
        receipt.withLock { $0.isNew = false }
        do {
            reply.outcome = try await carryOut(job.request, job.secret)
            return JobResult(
                reply: reply, outcome: job.request.isRun ? .done : nil, owesSync: job.request.changesRemote)
        } catch {
            reply.isCancelled = error is CancellationError
            let failure = Failure(error, vault: vault.path)
            if !reply.isCancelled { reply.failure = failure }
            // A wrong password says nothing of the remote.
            let isAboutRemote = reply.isCancelled || (30...34).contains(failure.code.rawValue)
            return JobResult(reply: reply, outcome: job.request.isRun && isAboutRemote ? note(error) : nil)
        }
    }

    private func carryOut(_ request: SyncRequest, _ secret: Secret) async throws -> SyncOutcome {
        switch request {
        case .showRemote: try showRemote()
        case .showCommand: SyncOutcome(command: try settings().remote?.command)
        case .putRemote(let remote, let creates): try await setRemote(remote, creates: creates, secret)
        case .clearRemote: try clearRemote(secret)
        case .sync(let manner): try await sync(manner, secret)
        case .devices: try await listDevices(from: 0)
        case .devicesFrom(let first): try await listDevices(from: first)
        case .find(let name): try await findDevice(name)
        case .revoke(let name): try await revoke(name, secret)
        case .revokeAndUndo(let name, let since): try await revoke(name, undoing: since, secret)
        case .rename(let old, let new): try await rename(old, to: new)
        case .leave: try await leave(secret)
        case .history(let name, let place): try await history(of: name, before: place)
        case .account: SyncOutcome(account: AccountView(email: try settings().account?.email))
        case .setAddress(let address): try setAddress(address, secret)
        case .rotate: try await rotate(secret)
        case .keeping(let change): try keeping(after: change)
        case .compact: try compact()
        case .poll, .cancel: SyncOutcome()
        }
    }
}

extension SyncRequest {
    /// Its end says whether the remote can be reached.
    fileprivate var isRun: Bool {
        switch self {
        case .sync, .revoke, .revokeAndUndo, .rotate: true
        default: false
        }
    }

    fileprivate var changesRemote: Bool {
        switch self {
        case .putRemote, .clearRemote, .rename: true
        default: false
        }
    }
}
