internal import ArgumentParser
internal import Foundation
internal import Glibc
internal import Sealing
internal import Sync
internal import SystemPackage
internal import Vault
internal import VaultFileSystem

struct Mount: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Unlock the vault and mount it as a folder.",
        discussion: VerbHelp.text(
            """
            Returns when the folder is usable; a process in the background serves it until `coffer lock` or \
            `fusermount3 -u`. The folder must exist, be empty and be yours.

            From then on nobody may write to the folder itself, mounted or not: a program that still has an entry open \
            when the vault is locked leaves no plaintext there. Root cannot even remove it, where the file system has \
            an immutable flag. `coffer mount --release` gives the folder back as it was.

            What is in the folder before is plaintext outside of the vault. `--adopt` moves it into the vault, into a \
            folder "adopted" with date and time; what cannot be moved stays there and is named, and the code is \
            \(ExitCode.notSaved.rawValue) then, with the vault mounted.

            Where a remote is set, the vault synchronises by itself while it is mounted: two seconds after the last \
            change, and with each look at the remote. A folder on this machine is looked at each second. A command for the \
            remote's password that came with the vault, and that nobody has allowed on this machine, is never run by a mount in \
            the background; with --foreground it is shown and asked about on a terminal.

            What is made in the mount is for its owner only, whatever the umask of the program is that makes it; \
            -o umask=022 or another one changes that, and -o umask=0 leaves it to each program. chmod is not touched \
            by it. -o takes the common options of mount(8); those that mean nothing here are passed over.
            """,
            examples: ["coffer mount --idle 10m ~/coffer", "coffer mount --release ~/coffer"],
            codes: [.mountPointUnusable, .notSaved] + .opening))

    @OptionGroup var vault: VaultOptions
    @OptionGroup var password: PasswordOptions

    @Argument(help: "The folder to mount on.", completion: .directory)
    var directory: String

    @Flag(name: .shortAndLong, help: "Stay in the foreground.")
    var foreground = false

    @Option(name: .long, help: ArgumentHelp("Lock after this long without use, such as 10m.", valueName: "time"))
    var idle: String?

    @Flag(name: .long, help: "Do not lock when the machine is suspended, or your session is locked or ends.")
    var noLockOnSuspend = false

    @Flag(name: .long, help: "Refuse changes; also opens what is intact of a damaged vault.")
    var readOnly = false

    @Flag(name: .long, help: "Keep nothing in the kernel's page cache.")
    var noCache = false

    @Flag(name: .long, help: "Move what is in the folder into the vault.")
    var adopt = false

    @Flag(name: .long, help: "Mount nothing: let the folder be written to again, and root remove it.")
    var release = false

    @Option(
        name: .long,
        help: ArgumentHelp("Look at the remote this often; 30s by default.", valueName: "time"))
    var poll: String?

    @Flag(name: .long, help: "Do not synchronise by itself; `coffer sync` still does.")
    var noSync = false

    @Option(name: .customShort("o"), help: ArgumentHelp("Mount options, as for mount(8).", valueName: "opt"))
    var options: [String] = []

    /// Where the process in the background says that it is ready.
    @Option(name: .long, help: .private)
    var readyDescriptor: Int32?

    func validate() throws {
        if directory.isEmpty { throw ValidationError("The folder to mount on has no name.") }
    }

    func run() throws {
        let target = Directories.resolvedMountPoint(directory)
        if release { return try giveBack(target) }
        // Before there is anything to be kept secret.
        let attendant =
            foreground ? try Attendant.start(mountPoint: target, keepsErrors: readyDescriptor == nil) : nil
        let timing = try syncTiming()
        let mountOptions = try parsedOptions(target)
        try vault.requireFile()
        do throws(MountError) {
            try VaultMount.check(mountOptions)
        } catch {
            throw Failure(error, vault: vault.path)
        }
        if let attendant { return try serve(mountOptions, timing, attendant) }
        let line = try password.readLine(prompt: "Master password: ", locked: vault.path)
        try Background.start(line)
    }

    private func giveBack(_ target: FilePath) throws {
        do throws(MountError) {
            guard try !MountPoint.release(target, state: Directories.state) else { return }
            Console.say("Nothing was taken from the folder \(target).")
        } catch {
            throw Failure(error, vault: vault.path)
        }
    }

    private func parsedOptions(_ target: FilePath) throws -> MountOptions {
        var result = MountOptions(directory: target, stateDirectory: Directories.state)
        result.adopts = adopt
        result.isReadOnly = readOnly
        result.usesNoCache = noCache
        result.followsSession = !noLockOnSuspend
        if let idle {
            guard let duration = Duration(idle: idle) else {
                throw ValidationError("--idle takes a time such as 90s, 10m or 2h.")
            }
            result.idle = duration
        }
        for option in options.flatMap({ $0.split(separator: ",").map(String.init) }) {
            // By these a mount is known to be this vault's.
            guard !option.hasPrefix("fsname="), !option.hasPrefix("subtype=") else {
                throw ValidationError("-o takes no \(option.prefix { $0 != "=" }).")
            }
            if option == "ro" {
                result.isReadOnly = true
            } else if option.hasPrefix("umask=") {
                guard let mask = UInt32(option.dropFirst(6), radix: 8), mask <= 0o777 else {
                    throw ValidationError("-o umask= takes three octal digits such as 077.")
                }
                result.umask = mask
            } else {
                result.extra.append(option)
            }
        }
        if adopt, result.isReadOnly { throw ValidationError("--adopt needs a mount that is not read-only.") }
        return result
    }

    /// nil where nothing is to happen by itself.
    private func syncTiming() throws -> SyncPlan.Timing? {
        var timing = SyncPlan.Timing()
        if let poll {
            guard let duration = Duration(idle: poll) else {
                throw ValidationError("--poll takes a time such as 5s, 30s or 5m.")
            }
            timing.poll = duration
        }
        return noSync ? nil : timing
    }

    private func serve(_ options: MountOptions, _ timing: SyncPlan.Timing?, _ attendant: Attendant) throws {
        defer { attendant.finish() }
        Background.endWithParent(readyDescriptor)
        ProcessMemory.limitArenas()
        let opened = try unlock(options)
        let log = EventLog(opened.path)
        defer { log.finish() }
        opened.onTrouble { trouble in
            log.note(.saving, trouble?.sentence, relief: "Everything is saved again.")
        }
        var options = options
        // Who sits there is asked; a process in the background has nobody to ask, and runs nothing.
        if readyDescriptor == nil, timing != nil, !opened.isReadOnly {
            WaitingCommand.offer(SyncSettings.read(opened)?.remote?.command)
        }
        if !opened.isReadOnly {
            let host = SyncHost(
                opened, timing: timing, asksForPassword: true, log: log, commands: attendant.credentialCommands)
            options.service = host.service
        }
        for damage in opened.damage { Console.say("Damaged: \(damage.path ?? "the vault"): \(damage.what)") }
        do throws(MountError) {
            let mount = try VaultMount(vault: opened, options: options, unmounter: { attendant.unmount() })
            let descriptor = readyDescriptor
            try mount.run { report in
                Mount.say(report)
                let isWhole = report.adoption?.left.isEmpty ?? true
                Background.sayReady(descriptor, isWhole ? .done : .notSaved)
            }
        } catch {
            try? opened.close()
            throw Failure(error, vault: vault.path)
        }
    }

    /// What has become of the folder.
    private static func say(_ report: FolderReport) {
        if let adoption = report.adoption {
            if let folder = adoption.folder {
                let files = adoption.taken == 1 ? "1 file" : "\(adoption.taken) files"
                Console.say("Moved into the vault: \(files), to the folder \(folder)")
            }
            for left in adoption.left.prefix(20) {
                Console.say("Left in the folder below the mount, in plaintext: \(left.name): \(left.reason)")
            }
            if adoption.left.count > 20 { Console.say("… and \(adoption.left.count - 20) more") }
        }
        for warning in report.warnings { Console.say(warning) }
    }

    /// A function of its own, so that the password is wiped when it returns, and not when the mount ends.
    private func unlock(_ options: MountOptions) throws -> Vault {
        let secret = try password.read(locked: vault.path)
        return try vault.open(secret, readOnly: options.isReadOnly, tolerateDamage: options.isReadOnly)
    }
}

extension Duration {
    /// `90`, `90s`, `10m`, `2h`; nil for anything else, and for zero.
    init?(idle text: String) {
        let units: [Character: Int] = ["s": 1, "m": 60, "h": 3600, "d": 86400]
        let unit = text.last.flatMap { units[$0] }
        let digits = unit == nil ? Substring(text) : text.dropLast()
        guard let count = Int(digits), count > 0, count <= 10_000_000 else { return nil }
        self = .seconds(count * (unit ?? 1))
    }
}
