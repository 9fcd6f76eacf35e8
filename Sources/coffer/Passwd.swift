internal import ArgumentParser
internal import Foundation
internal import Glibc
internal import Sealing
internal import SystemPackage
internal import Vault
internal import VaultFileSystem

struct Passwd: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Change the master password.",
        discussion: VerbHelp.text(
            """
            Wraps the same account key anew, on this device: each of the others keeps the master password that it has, \
            until it is changed there, too. This revokes nothing: who has the old password together with an old \
            kit or an old copy of the vault can still open that. What does revoke is a new account key.

            Says how long the new password would have to be guessed at. Five or more random words, drawn with dice or by a \
            program, are good ones.
            """,
            examples: ["coffer passwd"],
            codes: .opening))

    @OptionGroup var vault: VaultOptions
    @OptionGroup var password: PasswordOptions

    @Option(
        name: .long, help: ArgumentHelp("Read the new password from the first line of a file.", valueName: "file"),
        completion: .file())
    var newPasswordFile: String?

    @Flag(name: .long, help: "Take a password that is easily guessed.")
    var allowWeakPassword = false

    private static let prompt = "Present master password: "

    func run() throws {
        try vault.requireFile()
        if let mount = try vault.mount { try change(mounted: mount) } else { try changeUnmounted() }
    }

    /// The process behind the mount has the vault open: it is asked to.
    private func change(mounted mount: MountTable.Mount) throws {
        let old = try password.readLine(prompt: Passwd.prompt)
        _ = try MasterPassword.from(old)
        let new = try readNew()
        try MasterPassword.from(new).requireStrength(unless: allowWeakPassword)
        do throws(CommandError) { try mount.changePassword(from: old, to: new) } catch {
            throw Failure(error, vault: vault.path)
        }
        // What unlocking costs only who has the vault open knows: at the least about so much.
        tell(try MasterPassword.from(new), .unlockDefault)
    }

    private func changeUnmounted() throws {
        let old = try password.read(prompt: Passwd.prompt, locked: vault.path)
        let opened = try vault.open(old)
        defer { try? opened.close() }
        let new = try MasterPassword.from(readNew())
        try new.requireStrength(unless: allowWeakPassword)
        do throws(VaultError) {
            try opened.changePassword(from: old, to: new)
            tell(new, try opened.unlockParameters())
        } catch {
            throw Failure(error, vault: vault.path)
        }
    }

    private func tell(_ new: borrowing MasterPassword, _ unlock: KDFParameters) {
        Console.say(
            "The master password of this device was changed; other devices keep the one that they have. That revokes "
                + "nothing: kits that were issued before, and old copies of the vault, open with the old one.")
        new.tellStrength(kit: KDFOptions.kit(unlock))
    }

    private func readNew() throws -> SecretBytes {
        if let newPasswordFile { return try SecretLine.read(file: newPasswordFile) }
        let missing = Failure.nobodyToAsk("the new master password", options: "--new-password-file")
        let first = try SecretLine.ask("New master password: ", orThrow: missing)
        guard isatty(STDIN_FILENO) == 1 else { return first }
        let second = try SecretLine.ask("The same again: ", orThrow: missing)
        guard first.isEqual(to: second) else {
            throw Failure(.weakPassword, "The two passwords differ; nothing was changed.")
        }
        return first
    }
}
