internal import Format
internal import Remotes
internal import Sync
internal import SystemPackage

/// What is known about an alarm besides the alarm itself.
struct AlarmContext: Sendable {
    /// What people call the device whose log it is.
    var device = "an unknown device"
    var isThisDevice = false
    /// The folder in which the objects that show it are kept.
    var evidence: String?
    /// The remote is set; else it was only tried.
    var isSet = true
    /// A backup was restored here.
    var isRestored = false

    // What another device calls itself must not reach the terminal as it is.
    var who: String { isThisDevice ? "this device (\(Console.printable(device)))" : Console.printable(device) }
}

extension Failure {
    /// A failed synchronisation in a sentence, with what to do.
    init(_ error: SyncError, _ context: AlarmContext = AlarmContext()) {
        switch error {
        case .remote(let error): self.init(error, isSet: context.isSet)
        case .store(let number):
            self.init(
                .otherError, "The vault could not be read or written: \(Errno(rawValue: number)).",
                hint: number == Errno.noSpace.rawValue ? "Free some space." : nil)
        case .noRemote: self = .noRemote
        case .canaryMismatch:
            self.init(
                .mismatch, "What is at the remote belongs to another vault, or its canary was replaced.",
                hint: "Check the address with `coffer remote show`; nothing was changed on either side.")
        case .rolledBack(let alarm): self.init(rolledBack: alarm, context)
        case .forked(let alarm): self.init(forked: alarm, context)
        case .cloned:
            self.init(
                .remoteForked,
                (context.isRestored
                    ? "This vault was restored from a backup, and the remote has later changes of this device."
                    : "This vault's file is a copy: another one goes on under the name of this device.") + context.kept,
                hint: "Nothing is lost. Go on as a device of its own with: coffer sync --as-new-device")
        case .revoked:
            self.init(
                .deviceRevoked, "This device was revoked: its changes go to nobody, and it gets no new ones.",
                hint: "What is here stays readable. To take part again, join anew with a new kit into another --vault.")
        case .tooManyDevices(isForGood: false):
            self.init(
                .otherError, "The vault has 1,024 devices and takes no more; nothing was changed.",
                hint: "Shut out those that are not used any more, with `coffer devices revoke NAME`, then try again.")
        case .tooManyDevices(isForGood: true):
            self.init(
                .otherError, "The vault has had 2,048 devices and takes no more; nothing was changed.",
                hint: "Make another vault with `coffer init --vault FILE`, and copy the entries into it.")
        case .damagedObject(let name): self = .damaged([name], more: 0)
        case .newerFormat(let version):
            self.init(
                .otherError, "A newer coffer has written what this one does not know (format \(version)).",
                hint: "Update coffer on this machine; nothing was changed on either side.")
        }
    }

    static let noRemote = Failure(
        .otherError, "No remote is set.", hint: "Set one with: coffer remote set URL")

    private init(rolledBack alarm: Alarm, _ context: AlarmContext) {
        let lost =
            alarm.sequence <= 1
            ? "what \(context.who) had written is gone"
            : "what \(context.who) had written is gone from segment \(alarm.sequence) on"
        self.init(
            .remoteRolledBack, "The remote was rolled back: \(lost) (\(alarm.object)).\(context.kept)",
            hint: "Nothing is lost here, and nothing is pushed until you decide: `coffer sync --accept-rollback` puts "
                + "back what this device has, `coffer remote rebuild` writes the remote anew.")
    }

    private init(forked alarm: Alarm, _ context: AlarmContext) {
        self.init(
            .remoteForked,
            "The remote was forked: the log of \(context.who) has two histories from segment \(alarm.sequence) on "
                + "(\(alarm.object)).\(context.kept)",
            hint: "The remote shows different devices different things, or the device's file was copied, or it is in "
                + "other hands: then `coffer devices revoke` shuts it out. Nothing is lost here; once the cause is known, "
                + "`coffer remote rebuild` writes the remote anew.")
    }

    /// Objects that a newer program has written.
    ///
    /// - Parameter sources: the devices that have written them.
    static func newer(_ objects: [String], of sources: [SourceView]) -> Failure {
        let who = sources.isEmpty ? "A device" : sources.map { Console.printable($0.name) }.joined(separator: ", ")
        return Failure(
            .otherError, "\(who) writes with a newer coffer than this one, which cannot read that (\(objects[0])).",
            hint: "Update coffer on this machine. Everything else is synchronised, and nothing is lost.")
    }

    /// Objects that are not what their writers made.
    ///
    /// - Parameter sources: the devices that have written them.
    static func damaged(_ objects: [String], more: Int, of sources: [SourceView] = []) -> Failure {
        let named = objects.prefix(3).joined(separator: ", ")
        let rest = objects.count - min(3, objects.count) + more
        let since = sources.prefix(3).map { " " + $0.sentence }.joined()
        return Failure(
            .integrityError, "Damaged at the remote: \(named)\(rest > 0 ? " and \(rest) more" : "").\(since)",
            hint: "Nothing is lost: what they hold waits until they are whole. Where that lasts, run `coffer remote "
                + "rebuild` on a device that has everything.")
    }
}

extension AlarmContext {
    fileprivate var kept: String { evidence.map { " The evidence is in \($0)." } ?? "" }
}

extension Failure {
    /// - Parameter isSet: it is the vault's remote, so that changes wait for it; else it was only tried.
    init(_ error: RemoteError, isSet: Bool) {
        switch error {
        case .unreachable(let why):
            self.init(
                .remoteUnreachable, "The remote cannot be reached: \(why).",
                hint: isSet
                    ? "Changes wait here and go out with the next `coffer sync`."
                    : "Nothing was changed. Check the address and the connection, then try again.")
        case .notAuthorized(let why):
            self.init(
                .remoteUnreachable, "The remote refuses: \(why).",
                hint: "Set how to log in with `coffer remote set URL --remote-password-command CMD`, or in ~/.netrc.")
        case .notPermitted(let why):
            self.init(
                .remoteUnreachable, "The remote's folder does not permit it: \(why).",
                hint: "See who may read and write there with `ls -ld`, and have its owner or mode changed"
                    + (isSet ? "; changes wait here until then." : ", or name another folder."))
        case .full:
            self.init(
                .remoteUnreachable, "The remote has no room left.", hint: "Free some space there, then try again.")
        case .malformed(let why):
            self.init(
                .remoteUnreachable, "The remote gives no sensible answer: \(why).",
                hint: "Check that the address is that of a WebDAV collection or of a folder.")
        case .cancelled: self.init(.otherError, "Interrupted.")
        }
    }

    init(_ error: RemoteAddressError) {
        let (why, hint) = Failure.explanation(error)
        self.init(.usage, "This is no address of a remote: \(why).", hint: hint)
    }

    /// Why it is none, and what to do.
    static func explanation(_ error: RemoteAddressError) -> (String, String) {
        let form = "Take a folder's path, file:///folder, or https://user@host/path/."
        switch error {
        case .empty: return ("it is empty", form)
        case .controlCharacter: return ("it has control characters", form)
        case .unknownScheme(let scheme): return ("\(scheme) is neither https, http nor file", form)
        case .hasPassword:
            return (
                "it has a password in it, which ends up in histories and logs",
                "Leave it out and give --remote-password-command CMD, or --store-remote-password."
            )
        case .hasQuery: return ("it has a ? in it", form)
        case .hasFragment: return ("it has a # in it", form)
        case .badHost: return ("it names no host that can be looked up", form)
        case .badPort: return ("its port is no number from 1 to 65535", form)
        case .badPath: return ("its path is not well-formed", form)
        case .relativePath: return ("it is relative", form)
        }
    }
}
