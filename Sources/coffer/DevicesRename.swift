internal import ArgumentParser

extension Devices {
    struct Rename: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Give a device another name.",
            discussion: VerbHelp.text(
                """
                This device's own name is told to all others with the next `coffer sync`. Another device has its new name \
                on this one only: no device says what others are called, so that none can pass for another.
                """,
                examples: ["coffer devices rename laptop 'old laptop'"],
                codes: .opening + [.entryExists]))

        @OptionGroup var vault: VaultOptions
        @OptionGroup var password: PasswordOptions

        @Argument(help: "The device's name, or enough of its id.")
        var old: String

        @Argument(help: "Its new name: 1 to 40 bytes.")
        var new: String

        func validate() throws {
            guard SyncSettings.cleaned(new) != nil else {
                throw ValidationError("A device's name has 1 to 40 bytes, and neither slashes nor control characters.")
            }
        }

        func run() throws {
            let outcome = try vault.synchronise(.rename(old, to: new), password)
            for note in outcome.notes { Console.say(note) }
        }
    }
}
