internal import ArgumentParser
internal import Foundation
internal import Glibc
internal import Sealing
internal import SystemPackage
internal import Vault

struct Passwd: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Change the master password.",
        discussion: """
            Wraps the same account key anew. This revokes nothing: who has the old password together with an old \
            kit or an old copy of the vault can still open that.
            """)

    @OptionGroup var vault: VaultOptions
    @OptionGroup var password: PasswordOptions

    @Option(name: .long, help: ArgumentHelp("Read the new password from the first line of a file.", valueName: "file"))
    var newPasswordFile: String?

    @Flag(name: .long, help: "Take a password that is easily guessed.")
    var allowWeakPassword = false

    func run() throws {
        try vault.requireFile()
        if vault.mount != nil { throw Failure(VaultError.inUse, vault: vault.path) }
        let old = try password.read(prompt: "Present master password: ")
        let opened = try vault.open(old)
        defer { try? opened.close() }
        let new = try MasterPassword.from(readNew())
        try new.requireStrength(unless: allowWeakPassword)
        do throws(VaultError) { try opened.changePassword(from: old, to: new) } catch {
            throw Failure(error, vault: vault.path)
        }
        Console.say("The master password was changed. Kits that were issued before still need the old one.")
    }

    private func readNew() throws -> SecretBytes {
        if let newPasswordFile { return try SecretLine.read(file: newPasswordFile) }
        if isatty(STDIN_FILENO) == 1 {
            let first = try SecretLine.read(terminal: "New master password: ")
            let second = try SecretLine.read(terminal: "The same again: ")
            guard first.isEqual(to: second) else {
                throw Failure(.weakPassword, "The two passwords differ; nothing was changed.")
            }
            return first
        }
        return try SecretLine.read(descriptor: STDIN_FILENO, "standard input")
    }
}
