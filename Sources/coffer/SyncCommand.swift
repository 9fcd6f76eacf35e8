internal import ArgumentParser
internal import Sync

struct SyncCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sync",
        abstract: "Bring the vault and its remote together: pull, then push.",
        discussion: VerbHelp.text(
            """
            Prints what moved, and what became of entries that two devices had changed: where the edits do not \
            meet, both are in the entry; else the other one is beside it as `name (conflict, DEVICE, DATE)`. `status` \
            shows that copy until it has another name or is removed. What another device has written and the remote \
            does not have yet is named, with the device. So is a change that this vault cannot take in: it is set aside, \
            and tried again each time. While the vault is mounted, this happens by itself.

            Where the remote has lost what was there (31), shows two histories (32) or belongs to another vault (33), \
            nothing is pushed, and what shows it is kept below $XDG_STATE_HOME/coffer/evidence. The entries that it is \
            about are named; with --json they are in `alarm`. --accept-rollback and --rebuild ask for the master password, on \
            an unlocked vault, too.

            Where the remote's password comes from a command that came with the vault, and that nobody has allowed on this \
            machine, it is shown and asked about on a terminal, before its first run. Nothing else runs it.
            """,
            examples: ["coffer sync", "coffer sync --accept-rollback", "coffer sync --json"],
            codes: .opening + [
                .remoteUnreachable, .remoteRolledBack, .remoteForked, .mismatch, .deviceRevoked,
            ]))

    @OptionGroup var vault: VaultOptions
    @OptionGroup var password: PasswordOptions

    @Flag(name: .long, help: "Put back what the remote has lost, where it was restored from a backup.")
    var acceptRollback = false

    @Flag(name: .long, help: "Write the remote anew from here, as `coffer remote rebuild` does.")
    var rebuild = false

    @Flag(
        name: .long,
        help: "Go on as a device of its own, where this vault's file is a copy; asks for the master password.")
    var asNewDevice = false

    @Flag(name: .long, help: "Print JSON.")
    var json = false

    func validate() throws {
        if [acceptRollback, rebuild, asNewDevice].count(where: { $0 }) > 1 {
            throw ValidationError("--accept-rollback, --rebuild and --as-new-device exclude each other.")
        }
    }

    func run() throws {
        let manner: SyncManner =
            acceptRollback ? .acceptingRollback : rebuild ? .rebuilding : asNewDevice ? .asNewDevice : .plain
        let outcome: SyncOutcome
        do {
            outcome = try vault.synchronise(
                .sync(manner), password, secret: manner == .plain ? .none : .masterPassword)
        } catch let failure as Failure {
            if json, let alarm = failure.alarm { Console.json(["alarm": alarm]) }
            throw failure
        }
        let summary = outcome.summary ?? SyncSummary()
        if json { Console.json(summary) } else { summary.tell() }
        for note in outcome.notes { Console.say(note) }
        guard summary.damaged.isEmpty else {
            throw Failure.damaged(summary.damaged, more: 0, of: summary.sources(of: summary.damaged))
        }
        if let newer = summary.failure { throw newer }
    }
}

extension SyncSummary {
    /// In lines for people.
    func tell() {
        if pulledChanges > 0 { Console.result("Pulled \(SyncSummary.count(pulledChanges, "change"))") }
        if pushedChanges > 0 { Console.result("Pushed \(SyncSummary.count(pushedChanges, "change"))") }
        for conflict in conflicts { Console.result("Conflict: \(conflict.sentence)") }
        if notListed > 0 { Console.result("… and \(notListed) more") }
        if waiting > 0 {
            Console.say("\(SyncSummary.count(waiting, "segment")) of others wait for what has not arrived yet.")
        }
        for change in setAside ?? [] { Console.result("Set aside: \(change.sentence)") }
        for segment in awaited ?? [] { Console.result("Waiting for \(segment.sentence)") }
        for object in withheld {
            let since = sources(of: [object]).map { " " + $0.sentence }.joined()
            Console.say(
                "Warning: \(object) has not come for long, though others have it: is it being kept back?\(since)")
        }
        if refused > 0 {
            Console.say("\(SyncSummary.count(refused, "segment")) of revoked devices were refused.")
        }
        if pulledChanges == 0, pushedChanges == 0, conflicts.isEmpty, failure == nil, waiting == 0,
            awaited?.isEmpty ?? true, setAside?.isEmpty ?? true
        {
            Console.result("Nothing new")
        }
    }

    static func count(_ number: Int, _ what: String) -> String { "\(number) \(what)\(number == 1 ? "" : "s")" }
}
