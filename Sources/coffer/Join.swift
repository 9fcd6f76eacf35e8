internal import ArgumentParser
internal import Format
internal import Foundation
internal import Glibc
internal import Sealing
internal import SystemPackage
internal import Vault

struct Join: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Make this machine another device of a vault, with a kit.",
        discussion: VerbHelp.text(
            """
            Asks for what is missing: the e-mail address, the master password, the kit, in this order. The address is \
            the one that the kit was issued for, most often the account's (`coffer account`). The kit is a photograph or a \
            picture of its page (PNG or JPEG), or a file with its text (.txt, .svg).

            The kit says where the remote is. That is shown, and asked about, before anything is sent there. Scripts \
            say what they expect with --remote-host, or name the whole address with --remote; without either, and \
            without a terminal, nothing is sent to another machine (64). What ~/.netrc has for every host (`default`) is \
            never sent to an address that a kit names.

            Compare the six words with those that the other device shows (`coffer status`): they tell this vault from \
            one that somebody else has made for you. Without a terminal they are given with --fingerprint. Nothing is written before the remote has shown that it is the \
            kit's, and no vault is left where joining does not succeed.
            """,
            examples: [
                "coffer join --kit kit.jpg", "coffer join --kit kit.txt --email ann@example.org --remote /mnt/coffer",
                "coffer join --kit kit.txt --email ann@example.org --remote-host cloud.example.org",
            ],
            codes: [
                .wrongPassword, .kdfOutOfBounds, .vaultExists, .weakPassword, .vaultInUse, .integrityError,
                .remoteUnreachable, .remoteRolledBack, .remoteForked, .mismatch, .deviceRevoked, .notUnderstood,
            ]))

    @OptionGroup var vault: VaultOptions
    @OptionGroup var password: PasswordOptions

    @Option(
        name: .long, help: ArgumentHelp("The kit: a picture, or a file with its text.", valueName: "file"),
        completion: .file())
    var kit: String?

    @Option(
        name: .long, help: ArgumentHelp("The e-mail address that the kit was issued for.", valueName: "address"))
    var email: String?

    @Option(
        name: .long, help: ArgumentHelp("Where the remote is, instead of what the kit says.", valueName: "url"),
        completion: .directory)
    var remote: String?

    @Option(
        name: .long,
        help: ArgumentHelp(
            "The remote's host, compared instead of asked for; a port may follow.", valueName: "host"))
    var remoteHost: String?

    @OptionGroup var options: RemoteOptions

    @Option(
        name: .long, help: ArgumentHelp("The vault's six words, compared instead of asked for.", valueName: "words"))
    var fingerprint: String?

    @OptionGroup var device: DeviceOptions

    @Option(
        name: .long, help: ArgumentHelp("Memory for deriving the key at unlock, in MiB (64 to 4096).", valueName: "MiB")
    )
    var kdfMemory: UInt32?

    @Option(name: .long, help: ArgumentHelp("Passes for deriving the key at unlock (3 to 10).", valueName: "N"))
    var kdfPasses: UInt32?

    @Flag(name: .long, help: "Print the result as JSON.")
    var json = false

    func run() throws {
        try requireSomebodyToCompare()
        let path = vault.path
        do throws(VaultError) { try Vault.checkFree(path) } catch { throw Failure(error, vault: path) }
        let cost = try KDFOptions.chosen(memory: kdfMemory, passes: kdfPasses)
        // What was given already is looked at before anybody is asked for anything.
        var given = try kit.map { try prepared($0) }
        let email = try email ?? Console.ask("E-mail address: ", option: "--email")
        let secret = try password.readLine(prompt: "Master password: ")
        _ = try MasterPassword.from(secret)
        if given == nil {
            given = try prepared(Console.ask("Kit (a picture, or a file with its text): ", option: "--kit"))
        }
        guard let given else { return }
        Interrupts.block()
        let joining = Joining(given.kit, given.remote, at: path, email: email, deviceName: device.deviceName)
        let words = try joining.open(secret.withBytes { Secret($0) })
        try compare(words)
        let entries = try joining.make(cost ?? KDFOptions.calibrated())
        report(joining, words, entries)
    }

    /// Without a person or the words nothing would tell this vault from another one.
    private func requireSomebodyToCompare() throws {
        guard fingerprint == nil, isatty(STDIN_FILENO) != 1 else { return }
        throw Failure(
            .usage,
            "There is no terminal on which somebody could compare the vault's six words, and --fingerprint is missing.",
            hint: "Give the words that the other device shows with `coffer kit` or `coffer status`: --fingerprint \"…\""
        )
    }

    /// The kit in a file, and the remote that it or --remote names.
    private func prepared(_ file: String) throws -> (kit: Kit, remote: RemoteSettings) {
        let kit = try KitReader.read(file)
        if let remote {
            let settings = try options.settings(remote)
            if let remoteHost { try settings.address.requireHost(remoteHost) }
            return (kit, settings)
        }
        let named = try KitRemote(kit)
        try named.confirm(host: remoteHost)
        var settings = try options.settings(named.url)
        settings.isFromKit = true
        return (kit, settings)
    }

    /// The six words tell this vault from one that somebody has made to be joined.
    private func compare(_ words: [String]) throws {
        if let fingerprint {
            guard fingerprint.lowercased().split(whereSeparator: \.isWhitespace).map(String.init) == words else {
                throw Failure(
                    .mismatch, "The fingerprint is another one: this vault's is \(words.joined(separator: " ")).",
                    hint: "The kit or the remote is not what you take it for; nothing was written.")
            }
            return
        }
        Console.say("Fingerprint: \(words.joined(separator: " "))")
        let answer = try Interrupts.allowed {
            try Console.ask("Does the other device show the same words? [yes/no] ", option: "--fingerprint")
        }
        guard ["yes", "y"].contains(answer.lowercased()) else {
            throw Failure(.mismatch, "The words are others; nothing was written.")
        }
    }

    private func report(_ joining: Joining, _ words: [String], _ entries: Int) {
        if json {
            return Console.json([
                "vault": joining.identifier.hexadecimal, "path": joining.path.string,
                "fingerprint": words.joined(separator: " "),
            ])
        }
        Console.result("Vault \(joining.identifier.hexadecimal) at \(joining.path), \(entries) entries")
        Console.say("Mount it with: coffer mount DIR")
    }
}
