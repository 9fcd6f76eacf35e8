internal import Dispatch
internal import Format
internal import Foundation
internal import Fuse
internal import Glibc
internal import Synchronization
internal import SystemPackage
public import Vault

/// A mounted vault, from ready to locked.
///
/// **Locking** does, in this order: the service beside the mount stops; the kernel writes back mapped pages; no operation is let in any more and
/// those inside finish; open files are committed; the kernel forgets every page, attribute and name; the
/// vault is closed; the mount goes. A lock flag alone would leave what is cached readable through open
/// descriptors (measured).
public final class VaultMount: Sendable {
    private let vault: Vault
    private let options: MountOptions
    private let unmounter: @Sendable () -> Void
    private let fileSystem: VaultFileSystem
    private let session: Session
    private let invalidations = Invalidations()
    private let phase = Mutex<Phase>(.mounted)
    private let below = Mutex(FolderReport())
    /// Reports and commands under way. They do not pass the gate: a lock that was asked for does not wait for them.
    private let reports = Atomic<Int>(0)
    private let finished = DispatchSemaphore(value: 0)
    private let queue = DispatchQueue(label: "coffer.lock")

    /// Whether what runs in this process has lost what serving does not need.
    private let isConfined = Atomic<Bool>(false)

    /// Whether logind waits for the lock before the machine sleeps; nil while it has not answered yet.
    private let delaysSleep = Mutex<Bool?>(nil)

    private enum Phase { case mounted, locking, locked }

    /// - Parameter unmounter: takes the mount away, from another process: this one may not any more once it serves.
    /// - Throws: `unknownOptions` for options that libfuse does not know.
    public init(
        vault: Vault, options: MountOptions, unmounter: @escaping @Sendable () -> Void
    ) throws(MountError) {
        self.vault = vault
        self.options = options
        self.unmounter = unmounter
        fileSystem = VaultFileSystem(
            vault: vault, usesNoCache: options.usesNoCache, umask: options.umask, controls: Controls())
        do throws(Errno) {
            session = try Session(fileSystem: fileSystem, options: options.words(for: vault.path))
        } catch {
            throw .unknownOptions
        }
    }

    /// Checks a mount point before a password is asked for. What a killed process left there stays until the vault is
    /// unlocked: a program that still writes gets errors from it, where a folder that an earlier version has mounted on
    /// would take its text in clear.
    public static func check(_ options: MountOptions) throws(MountError) {
        try options.checkOthers()
        let mounted = MountTable.mounts().filter { $0.directory == options.directory }
        for mount in mounted {
            switch mount.state() {
            case .served: throw .alreadyMounted(options.directory)
            case .silent: throw mount.silence
            case .locking, .dead: continue
            }
        }
        guard mounted.isEmpty else { return }
        try MountPoint.open(options.directory, state: options.stateDirectory).check(adopts: options.adopts)
    }

    /// Takes away what killed processes left on the mount point, and of this vault elsewhere, and mounts at once.
    private func mount() throws(MountError) -> MountPoint {
        let directory = options.directory
        for mount in MountTable.mounts() where mount.directory == directory || mount.vault == vault.path {
            // One that locks takes itself away, and would take this one, made in its place.
            if mount.directory == directory, mount.state() == .locking { try mount.waitForLock() }
            mount.clear()
        }
        let point = try MountPoint.open(directory, state: options.stateDirectory)
        let protection = try point.alone { () throws(MountError) in
            guard !MountTable.mounts().contains(where: { $0.directory == directory }) else {
                throw .alreadyMounted(directory)
            }
            try point.check(adopts: options.adopts)
            return try point.mount { () throws(MountError) in
                do throws(Errno) { try session.mount(at: directory) } catch {
                    throw options.isRefusedForOthers ? .othersRefused : .refused(directory)
                }
            }
        }
        below.withLock { $0.protection = protection }
        return point
    }

    /// Adopts what lies below the mount, where that was asked for, and looks for what is there then.
    private func lookBelow(_ point: MountPoint) -> FolderReport {
        var found = below.withLock { $0 }
        found.directory = options.directory.string
        do throws(MountError) {
            if options.adopts {
                var adoption = Adoption(point, fileSystem)
                if let protection = try adoption.run() { found.protection = protection }
                found.adoption = adoption.report
            }
            found.names = try point.names().map { String(decoding: $0, as: UTF8.self) }
        } catch {
            // It was read a moment ago: whatever has changed about it, nothing can be said of it.
        }
        let result = found
        below.withLock { $0 = result }
        return result
    }

    /// Mounts, calls `onReady`, and serves until the vault is locked or unmounted. Everything is committed
    /// and wiped when it returns.
    public func run(onReady: (FolderReport) -> Void) throws(MountError) {
        let commands = Commands(
            vault: vault, gate: fileSystem.gate, service: options.service,
            discard: { [weak self] in self?.lockNow(discarding: true) })
        fileSystem.controls.connect(
            Controls.Actions(
                status: { [weak self] in self?.status() ?? [] }, verify: { [weak self] in self?.verify() ?? [] },
                lock: { [weak self] in self?.lockWhatIsSaved() ?? [] },
                hold: { [weak self] () throws(Errno) in
                    guard let self else { throw .socketNotConnected }
                    return try hold()
                },
                command: { [weak self, session] (request) throws(Errno) in
                    // Deriving a key takes a second.
                    session.passTurn()
                    guard let self else { throw .socketNotConnected }
                    return try underWay { () throws(Errno) in try commands.perform(request) }
                }))
        // Whoever waits lets another thread read requests.
        vault.beforeWaiting { [session] in session.passTurn() }
        invalidations.follow(vault, session)
        renameReserved()
        let point = try mount()
        confine()
        vault.keepReserve()
        let triggers = LockTriggers(
            idle: options.idle, followsSession: options.followsSession,
            idleTime: { [weak self] in self?.idleTime ?? .zero },
            onSleepDelay: { [weak self] delays in self?.delaysSleep.withLock { $0 = delays } },
            lock: { [weak self] in self?.lockNow() })
        let memory = ProcessMemory()
        onReady(lookBelow(point))
        options.service?.start()
        session.run()
        triggers.stop()
        memory.stop()
        lockNow()
        finished.wait()
        session.unmount()
    }

    /// Nothing that a person or a program gives this process comes before that, but the password.
    private func confine() {
        session.leaveUnmounting(to: unmounter)
        isConfined.store(Confinement.enter(), ordering: .relaxed)
    }

    /// A program from before let other devices put an entry where the control files are. It is in no listing, so that it could
    /// not be removed either: it gets a name that can be seen.
    private func renameReserved() {
        let reserved = ReservedName.controls
        guard unsafe (try? vault.lookup(reserved.span.bytes, in: .root, remember: false)) != nil else { return }
        for attempt in 1...100 {
            let name = Array(".coffer (renamed\(attempt == 1 ? "" : " \(attempt)"))".utf8)
            do throws(Errno) {
                return unsafe try vault.rename(
                    reserved.span.bytes, in: .root, to: name.span.bytes, in: .root, flags: .noReplace)
            } catch .fileExists {
                continue
            } catch {
                // A vault that cannot be written to: it stays where nothing reaches it.
                return
            }
        }
    }

    /// Locks for somebody who can be told: where something is not saved, nothing is done and the answer says so.
    ///
    /// - Returns: nothing, or a ``LockRefusal``.
    private func lockWhatIsSaved() -> [UInt8] {
        session.passTurn()
        for node in vault.openNodes() { session.invalidate(NodeID(node.rawValue)) }
        let unsaved = vault.save()
        guard unsaved.isEmpty else { return VaultMount.json(LockRefusal(unsaved, isLocked: false)) }
        // Written in the moment before the gate was closed.
        let late = lockNow()
        return late.isEmpty ? [] : VaultMount.json(LockRefusal(late, isLocked: true))
    }

    /// Locks whatever comes. Returns when nothing of the vault can be read any more; the mount goes right after. Returns
    /// at once where somebody else has begun to.
    ///
    /// - Parameter discarding: what cannot be saved is dropped; else it goes into the reserve.
    /// - Returns: what could not be saved.
    @discardableResult
    private func lockNow(discarding: Bool = false) -> Unsaved {
        session.passTurn()
        let isFirst = phase.withLock { phase in
            defer { if phase == .mounted { phase = .locking } }
            return phase == .mounted
        }
        guard isFirst else { return Unsaved() }
        let unsaved = queue.sync { secure(discarding) }
        // After the answer to whoever asked for it through a control file.
        queue.async { [self] in
            session.exit()
            session.unmount()
            finished.signal()
        }
        return unsaved
    }

    /// How long nobody has asked for anything. While an operation, a report or a backup is under way, or what programs wrote is
    /// not yet committed, that is no time at all.
    private var idleTime: Duration {
        let isBusy =
            fileSystem.gate.isBusy || reports.load(ordering: .relaxed) > 0 || vault.isHeldForBackup
        if isBusy || vault.hasUncommittedContent { fileSystem.gate.use() }
        return fileSystem.gate.idle
    }

    private func underWay<R, E: Error>(_ body: () throws(E) -> R) throws(E) -> R {
        reports.wrappingAdd(1, ordering: .relaxed)
        defer { reports.wrappingSubtract(1, ordering: .relaxed) }
        return try body()
    }

    private func secure(_ discarding: Bool) -> Unsaved {
        options.service?.stop()
        // What programs wrote into mappings comes as writes: before the gate closes.
        for node in vault.openNodes() { session.invalidate(NodeID(node.rawValue)) }
        fileSystem.gate.close()
        let unsaved = vault.save()
        for (node, names) in vault.rememberedNodes() {
            session.invalidate(NodeID(node.rawValue))
            for name in names { session.invalidate(name, in: NodeID(node.rawValue)) }
        }
        try? vault.close(keepsLock: true, discarding: discarding)
        invalidations.finish()
        phase.withLock { $0 = .locked }
        return unsaved
    }

    // MARK: Control files

    private func status() -> [UInt8] {
        var status = VaultStatus(path: vault.path.string, isMounted: true)
        let statistics = vault.statistics()
        status.vault = vault.identifier.hexadecimal
        status.fingerprint = vault.fingerprint.joined(separator: " ")
        status.isReadOnly = vault.isReadOnly || options.isReadOnly
        status.entries = statistics.entries
        status.trash = statistics.trash
        status.fileBytes = statistics.fileBytes
        status.unlockMilliseconds = vault.unlockMilliseconds
        status.residentBytes = VaultMount.residentBytes()
        status.isConfined = isConfined.load(ordering: .relaxed)
        status.damage = vault.damage.map { ($0.path.map { "\($0): " } ?? "") + $0.what }
        status.folder = below.withLock { $0.warnings }
        let unsaved = vault.unsaved()
        status.unsaved = unsaved.entries
        status.lost = vault.restored.lost
        status.unsavedReason = unsaved.reason?.description
        status.strayed = unsaved.strayed.map(\.string)
        status.onSuspend =
            options.followsSession ? delaysSleep.withLock { $0.map { $0 ? .locks : .noLogind } } : .ignored
        status.synchronisation = options.service?.report()
        return VaultMount.json(status)
    }

    private func hold() throws(Errno) -> BackupHold {
        // What is open is committed and synced first.
        session.passTurn()
        do throws(VaultError) {
            return try underWay { () throws(VaultError) in try vault.holdForBackup() }
        } catch {
            switch error {
            case .inUse: throw .resourceBusy
            case .io(let errno, _): throw errno
            default: throw .ioError
            }
        }
    }

    private func verify() -> [UInt8] {
        session.passTurn()
        guard let report = try? underWay({ try vault.verify { _, _ in } }) else { return [] }
        return VaultMount.json(VerifyOutcome(report))
    }

    private static func json(_ value: some Encodable) -> [UInt8] {
        (try? JSONEncoder().encode(value)).map { Array($0) + [0x0A] } ?? []
    }

    /// The second number of /proc/self/statm, in pages (proc(5)).
    private static func residentBytes() -> UInt64 {
        guard let file = unsafe try? FileDescriptor.open("/proc/self/statm", .readOnly),
            let text = try? file.closeAfter({ try file.readAll() })
        else { return 0 }
        let fields = String(decoding: text, as: UTF8.self).split(separator: " ")
        return fields.count > 1 ? (UInt64(fields[1]) ?? 0) * 4096 : 0
    }
}
