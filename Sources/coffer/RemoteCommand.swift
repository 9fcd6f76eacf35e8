internal import ArgumentParser
internal import Foundation
internal import Glibc
internal import Remotes
internal import SystemPackage
internal import VaultFileSystem

struct RemoteCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "remote",
        abstract: "Say where the vault's ciphertext is kept for the other devices.",
        discussion: VerbHelp.text(
            """
            A remote is a folder (on this machine, NFS, a disk, or one that Syncthing carries) or a WebDAV collection \
            (Nextcloud, Apache, nginx, rclone in front of any cloud). It gets ciphertext only: no names, no sizes of \
            entries, nothing that was derived from the master password alone.
            """,
            examples: [
                "coffer remote set ~/Syncthing/coffer", "coffer remote set https://ann@cloud.example.org/dav/coffer/",
                "coffer remote show",
            ],
            codes: .opening + [.remoteUnreachable, .mismatch]),
        subcommands: [Set.self, Show.self, Clear.self, Rebuild.self])
}

extension RemoteCommand {
    struct Set: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Set the remote, once it was reached and is empty or this vault's.",
            discussion: VerbHelp.text(
                """
                The address never holds a password. It comes from --remote-password-command, from ~/.netrc, or, with \
                --store-remote-password, from the vault itself, where it is sealed. Plain http goes to this machine \
                only, unless --insecure-http is given. Asks for the master password, on an unlocked vault, too: whoever sets \
                the remote decides who gets the ciphertext.

                A command runs on machines only where somebody has given or allowed it.

                Kits that are issued from now on carry the address.
                """,
                examples: [
                    "coffer remote set --create /mnt/backup/coffer",
                    "coffer remote set https://ann@cloud.example.org/dav/coffer/ "
                        + "--remote-password-command 'pass show cloud'",
                ],
                codes: .opening + [.remoteUnreachable, .mismatch]))

        @OptionGroup var vault: VaultOptions
        @OptionGroup var password: PasswordOptions

        @Argument(help: "A folder, file:///folder, or https://user@host/path/.", completion: .directory)
        var url: String

        @OptionGroup var options: RemoteOptions

        @Flag(name: .long, help: "Make the folder or collection, where it is missing.")
        var create = false

        @Flag(name: .long, help: "Ask for the remote's password, and keep it in the vault.")
        var storeRemotePassword = false

        func validate() throws {
            if storeRemotePassword, options.remotePasswordCommand != nil || options.remoteTokenCommand != nil {
                throw ValidationError("--store-remote-password stands alone: the other options name a command.")
            }
        }

        func run() throws {
            let settings = try options.settings(url)
            let outcome = try vault.synchronise(
                .putRemote(settings, creates: create), password,
                secret: storeRemotePassword ? .remotePassword : .masterPassword)
            for note in outcome.notes { Console.say(note) }
        }
    }

    struct Show: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Print the remote's address.",
            discussion: VerbHelp.text(
                """
                Nothing is asked of the remote. Says whether the remote's password comes from a command that nobody has \
                allowed on this machine; --command shows the command itself, on a terminal only: it may have a password in it.
                """, examples: ["coffer remote show --json", "coffer remote show --command"], codes: .opening))

        @OptionGroup var vault: VaultOptions
        @OptionGroup var password: PasswordOptions

        @Flag(name: .long, help: "Print JSON.")
        var json = false

        @Flag(name: .long, help: "Show the command for the remote's password, on a terminal.")
        var command = false

        func validate() throws {
            if command, json { throw ValidationError("--command is for a terminal, and stands without --json.") }
        }

        func run() throws {
            if command { return try showCommand() }
            let view = try vault.synchronise(.showRemote, password).remote ?? RemoteView()
            if json { return Console.json(view) }
            guard let url = view.url else { throw Failure.noRemote }
            Console.result(url)
            if view.hasWaitingCommand == true { Console.say(WaitingCommand.notice) }
        }

        private func showCommand() throws {
            guard isatty(STDOUT_FILENO) == 1 else {
                throw Failure(
                    .usage, "The command may have a password in it, and is shown on a terminal only.",
                    hint: "Run this on a terminal.")
            }
            guard let text = try vault.synchronise(.showCommand, password).command else {
                throw Failure(.otherError, "The remote's password comes from no command.")
            }
            for line in WaitingCommand.lines(of: text) { Console.result(line) }
        }
    }

    struct Clear: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Forget the remote; what is there stays there.",
            discussion: VerbHelp.text(
                "Changes are kept until a remote is set again. Asks for the master password, on an unlocked vault, too.",
                examples: ["coffer remote clear"], codes: .opening))

        @OptionGroup var vault: VaultOptions
        @OptionGroup var password: PasswordOptions

        func run() throws {
            let outcome = try vault.synchronise(.clearRemote, password, secret: .masterPassword)
            for note in outcome.notes { Console.say(note) }
        }
    }

    struct Rebuild: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Write the remote anew from what this device has.",
            discussion: VerbHelp.text(
                """
                The way out where a remote was emptied, damaged or forked: whatever this device has read is there \
                again afterwards. What only other devices have comes with their next sync. Asks for the master password, \
                on an unlocked vault, too.
                """,
                examples: ["coffer remote rebuild"],
                codes: .opening + [.remoteUnreachable, .mismatch, .deviceRevoked]))

        @OptionGroup var vault: VaultOptions
        @OptionGroup var password: PasswordOptions

        func run() throws {
            let outcome = try vault.synchronise(.sync(.rebuilding), password, secret: .masterPassword)
            for note in outcome.notes { Console.say(note) }
        }
    }
}

/// How a remote is reached; for `remote set` and `join`.
struct RemoteOptions: ParsableArguments {
    @Option(
        name: .long,
        help: ArgumentHelp("Run a command; its first line of output is the remote's password.", valueName: "cmd"))
    var remotePasswordCommand: String?

    @Option(
        name: .long,
        help: ArgumentHelp("Run a command; its first line of output is a bearer token.", valueName: "cmd"))
    var remoteTokenCommand: String?

    @Option(name: .long, help: ArgumentHelp("Who logs in at the remote, as in the address.", valueName: "user"))
    var remoteUser: String?

    @Option(
        name: .long, help: ArgumentHelp("Trust these certificates (PEM) instead of the system's.", valueName: "file"),
        completion: .file())
    var ca: String?

    @Option(
        name: .long, help: ArgumentHelp("Show this certificate (PEM) to the server.", valueName: "file"),
        completion: .file())
    var clientCert: String?

    @Option(
        name: .long, help: ArgumentHelp("The key of --client-cert (PEM).", valueName: "file"), completion: .file())
    var clientKey: String?

    @Flag(name: .long, help: "Allow http:// to other machines: everybody between sees what goes by.")
    var insecureHttp = false

    func validate() throws {
        if remotePasswordCommand != nil, remoteTokenCommand != nil {
            throw ValidationError("Give --remote-password-command or --remote-token-command, not both.")
        }
        if clientKey != nil, clientCert == nil { throw ValidationError("--client-key goes with --client-cert.") }
    }

    func settings(_ url: String) throws -> RemoteSettings {
        let address: RemoteAddress
        do throws(RemoteAddressError) {
            address = try RemoteAddress(
                try withUser(url), relativeTo: FileManager.default.currentDirectoryPath)
        } catch {
            throw Failure(error)
        }
        try address.requireOutside(of: MountTable.mounts())
        var settings = RemoteSettings(url: address.description)
        for command in [remotePasswordCommand, remoteTokenCommand].compactMap(\.self) {
            do { try AllowedCommands.add(command) } catch {
                throw Failure(.otherError, "That this machine may run the command cannot be noted: \(error).")
            }
        }
        settings.passwordCommand = remotePasswordCommand
        settings.tokenCommand = remoteTokenCommand
        settings.certificateAuthorities = ca.map { Directories.absolute($0).string }
        settings.clientCertificate = clientCert.map { Directories.absolute($0).string }
        settings.clientKey = clientKey.map { Directories.absolute($0).string }
        settings.allowsInsecureHTTP = insecureHttp
        return settings
    }

    /// The address with the user of --remote-user in it.
    private func withUser(_ url: String) throws(RemoteAddressError) -> String {
        guard let remoteUser else { return url }
        guard let end = url.range(of: "://"), url.lowercased().hasPrefix("http") else { return url }
        let rest = url[end.upperBound...]
        guard !rest.prefix(while: { $0 != "/" }).contains("@") else { throw .badHost }
        let allowed = CharacterSet.alphanumerics.intersection(CharacterSet(charactersIn: "\u{21}"..."\u{7E}"))
        let user = remoteUser.addingPercentEncoding(withAllowedCharacters: allowed) ?? remoteUser
        return "\(url[..<end.upperBound])\(user)@\(rest)"
    }
}
