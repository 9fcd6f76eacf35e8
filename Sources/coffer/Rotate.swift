internal import ArgumentParser

struct Rotate: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Make a new account key, for all that is written from now on.",
        discussion: VerbHelp.text(
            """
            The devices of the vault get it, sealed for each of them. Kits that were issued before, together with \
            the password of that time, open nothing that is written from now on: issue a new one with `coffer kit`. \
            What was written before stays as it is, under the old key.

            Do this where a kit and its password may be in wrong hands; `coffer devices revoke` does it for a lost \
            device. `coffer passwd` alone revokes nothing.
            """,
            examples: ["coffer rotate", "coffer kit --output kit.png"],
            codes: .opening + [
                .remoteUnreachable, .remoteRolledBack, .remoteForked, .mismatch, .deviceRevoked,
            ]))

    @OptionGroup var vault: VaultOptions
    @OptionGroup var password: PasswordOptions

    func run() throws {
        let outcome = try vault.synchronise(.rotate, password, secret: .masterPassword)
        for note in outcome.notes { Console.say(note) }
    }
}
