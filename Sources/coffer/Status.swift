internal import ArgumentParser
internal import Foundation
internal import SystemPackage
internal import Vault
internal import VaultFileSystem

struct Status: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Say what state the vault is in: file, mount, entries, devices, remote, conflicts.",
        discussion: VerbHelp.text(
            """
            Asks for no password: what only the key can tell is told while the vault is mounted. Also says whose mount \
            it is, where it is another user's, and that the process behind it does not answer, where that is so.
            """,
            examples: ["coffer status --json"],
            codes: [.mountPointUnusable, .noVault, .vaultInUse, .integrityError]))

    @OptionGroup var vault: VaultOptions

    @Flag(name: .long, help: "Print JSON.")
    var json = false

    func run() throws {
        let path = vault.path
        try vault.requireFile()
        let found = vault.mountAndState
        guard let mount = found?.mount, found?.state == .served else {
            let status = try statusFromOutside(silent: found?.mount)
            return json ? Console.json(status) : report(status)
        }
        let text: [UInt8]
        do throws(MountError) { text = try mount.readControl("status") } catch {
            throw Failure(error, vault: path)
        }
        guard var status = try? JSONDecoder().decode(VaultStatus.self, from: Data(text)) else {
            throw Failure(.otherError, "The mounted vault gave no answer.")
        }
        status.mount = mount.directory.string
        if json { Console.json(status) } else { report(status) }
    }

    /// What can be told without the process behind a mount.
    private func statusFromOutside(silent: MountTable.Mount?) throws -> VaultStatus {
        let resolved = Directories.resolved(vault.path)
        var status = VaultStatus(path: vault.path.string, isMounted: false)
        do throws(VaultError) {
            if case .open(let process) = try Vault.state(of: resolved) {
                (status.isInUse, status.process) = (true, process)
            }
        } catch {
            throw Failure(error, vault: vault.path)
        }
        if let silent {
            (status.isMounted, status.isInUse, status.isSilent) = (true, nil, true)
            status.mount = silent.directory.string
        } else if let others = MountTable.othersMount(of: resolved) {
            (status.isMounted, status.isInUse, status.user) = (true, nil, others.user)
            status.mount = others.directory.string
        }
        return status
    }

    private func report(_ status: VaultStatus) {
        Console.result("Vault:    \(status.path)")
        guard status.isMounted else {
            let isInUse = status.isInUse == true
            let state = isInUse ? "not mounted, in use by \(Self.name(status.process))" : "locked"
            return Console.result("State:    \(state)")
        }
        let user = status.user.map { " by \($0)" } ?? ""
        let readOnly = status.isReadOnly == true ? ", read-only" : ""
        let silence = status.isSilent == true ? "; \(Self.name(status.process)) behind it does not answer" : ""
        Console.result("State:    unlocked\(user) at \(status.mount ?? "?")\(readOnly)\(silence)")
        if let identifier = status.vault { Console.result("Id:       \(identifier)") }
        if let words = status.fingerprint { Console.result("Words:    \(words)") }
        if let entries = status.entries { Console.result("Entries:  \(entries), \(status.trash ?? 0) in the trash") }
        if let bytes = status.fileBytes { Console.result("Size:     \(bytes / 1024) KiB") }
        switch status.onSuspend {
        case .noLogind: Console.result("Suspend:  does not lock: there is no logind that would tell of it")
        case .ignored: Console.result("Suspend:  does not lock, as --no-lock-on-suspend says")
        case .locks, nil: break
        }
        if status.isConfined == false {
            Console.result("Confined: no: the kernel takes no filter of system calls (seccomp)")
        }
        for line in status.folder ?? [] { Console.result("Folder:   \(line)") }
        for line in status.damage ?? [] { Console.result("Damaged:  \(line)") }
        for file in status.strayed ?? [] {
            Console.result("Gone:     \(file) was replaced, moved or deleted; nothing is saved until it is back")
        }
        let why = status.unsavedReason.map { " (\($0))" } ?? ""
        for path in status.lost ?? [] { Console.result("Lost:     \(path) (no room for it before the last lock)") }
        for path in status.unsaved ?? [] { Console.result("Unsaved:  \(path)\(why)") }
        if let synchronisation = status.synchronisation { report(synchronisation) }
    }

    /// A process for people.
    static func name(_ process: Int32?) -> String { process.map { "process \($0)" } ?? "another process" }

    private func report(_ status: SyncOverview) {
        guard let remote = status.remote else { return Console.result("Remote:   none") }
        Console.result("Remote:   \(remote)")
        let waiting = status.isRunning ? ", running now" : status.hasUnpushedChanges ? ", changes wait" : ""
        Console.result("Sync:     \(status.lastSync.map { "last at \($0)" } ?? "not yet")\(waiting)")
        if status.hasWaitingCommand == true { Console.result("Command:  \(WaitingCommand.notice)") }
        for device in status.devices {
            Console.result("Device:   \(device.name), \(device.state)")
        }
        for change in status.setAside ?? [] { Console.result("Set aside: \(change.sentence)") }
        for segment in status.awaited ?? [] { Console.result("Waiting:  \(segment.sentence)") }
        for path in status.conflicts { Console.result("Conflict: \(path)") }
        if let trouble = status.trouble { Console.result("Trouble:  \(trouble)") }
        for alarm in status.alarms {
            Console.result("Alarm:    \(alarm.message)")
            for line in alarm.lines { Console.result("          \(line)") }
        }
    }
}
