internal import ArgumentParser
internal import Sealing

struct Account: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show the account's e-mail address, and change it.",
        discussion: VerbHelp.text(
            """
            It is the address that was given to `coffer init`, kept sealed in the vault: what kits are bound to, unless \
            --email names another one, and what joining with them asks for. The other devices of the vault have it, too.
            """,
            examples: ["coffer account", "coffer account set-email ann@example.org"],
            codes: .opening),
        subcommands: [SetEmail.self])

    @OptionGroup var vault: VaultOptions
    @OptionGroup var password: PasswordOptions

    @Flag(name: .long, help: "Print JSON.")
    var json = false

    func run() throws {
        let account = try vault.synchronise(.account, password).account ?? AccountView()
        if json { return Console.json(account) }
        guard let email = account.email else {
            throw Failure(
                .otherError, "The account has no e-mail address.",
                hint: "Set one with: coffer account set-email ADDRESS")
        }
        Console.result(email)
    }

    struct SetEmail: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Set the account's e-mail address.",
            discussion: VerbHelp.text(
                """
                Kits that are issued from now on are bound to it, on all devices once they have synchronised. Kits that \
                were issued before keep the address that they were issued for.
                """,
                examples: ["coffer account set-email ann@example.org"],
                codes: .opening))

        @OptionGroup var vault: VaultOptions
        @OptionGroup var password: PasswordOptions

        @Argument(help: "The e-mail address.")
        var address: String

        func validate() throws { try EmailOption.check(address, "The address") }

        func run() throws {
            let outcome = try vault.synchronise(.setAddress(address), password, secret: .masterPassword)
            for note in outcome.notes { Console.say(note) }
        }
    }
}

/// What an e-mail address may be, wherever one is given.
enum EmailOption {
    /// - Parameter option: what it was given for.
    static func check(_ address: String, _ option: String) throws {
        guard AccountAddress.isFit(address) else {
            throw ValidationError("\(option) takes 1 to 254 bytes without control characters.")
        }
    }
}
