internal import ArgumentParser
internal import Format
internal import Foundation
internal import Sealing
internal import SystemPackage
internal import Vault

struct Init: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Make a vault.",
        discussion: """
            Draws a random account key, wraps it with your master password, and makes an empty vault. Prints the \
            vault's id and six words by which you compare it when a second device joins. With --kit also writes \
            the kit: the wrapped account key as a QR code, for a second device and as a backup on paper.
            """)

    @OptionGroup var vault: VaultOptions
    @OptionGroup var password: PasswordOptions

    @Option(
        name: .long, help: ArgumentHelp("Your e-mail address; joining with the kit asks for it.", valueName: "address"))
    var email: String?

    @Option(name: .long, help: ArgumentHelp("Write a kit: .png, .svg or .txt by its ending.", valueName: "file"))
    var kit: String?

    @Option(
        name: .long, help: ArgumentHelp("Memory for deriving the key at unlock, in MiB (64 to 4096).", valueName: "MiB")
    )
    var kdfMemory: UInt32?

    @Option(name: .long, help: ArgumentHelp("Passes for deriving the key at unlock (3 to 10).", valueName: "N"))
    var kdfPasses: UInt32?

    @Flag(name: .long, help: "Take a password that is easily guessed.")
    var allowWeakPassword = false

    @Flag(name: .long, help: "Print the result as JSON.")
    var json = false

    func run() throws {
        let path = vault.path
        guard !FileManager.default.fileExists(atPath: path.string) else {
            throw Failure(VaultError.alreadyExists, vault: path)
        }
        let parameters = try KDFOptions.parameters(memory: kdfMemory, passes: kdfPasses)
        let secret = try MasterPassword.from(password.readNew(prompt: "Choose a master password: "))
        try secret.requireStrength(unless: allowWeakPassword)
        let made: Vault
        do throws(VaultError) {
            made = try Vault.create(
                at: path, password: secret,
                options: Vault.CreationOptions(parameters: parameters, stateDirectory: Directories.state))
        } catch {
            throw Failure(error, vault: path)
        }
        defer { try? made.close() }
        if let kit {
            try KitWriter.write(
                made, password: secret, email: email ?? "", to: kit, parameters: KDFOptions.kit(parameters))
        }
        report(made)
        if !SecretBytes.isLockedInMemory {
            Console.say("Warning: memory cannot be locked here (ulimit -l), so keys could be swapped to disk.")
        }
    }

    private func report(_ made: Vault) {
        let words = made.fingerprint.joined(separator: " ")
        if json {
            return Console.json(
                ["vault": made.identifier.hexadecimal, "path": made.path.string, "fingerprint": words])
        }
        Console.result("Vault \(made.identifier.hexadecimal) at \(made.path)")
        Console.result("Fingerprint: \(words)")
        Console.say("Mount it with: coffer mount DIR")
    }
}

extension MasterPassword {
    borrowing func requireStrength(unless allowed: Bool) throws {
        guard !allowed else { return }
        do throws(PasswordError) { try checkStrength() } catch { throw Failure(error) }
    }
}

/// The cost of deriving keys, from the command line or measured.
enum KDFOptions {
    static func parameters(memory: UInt32?, passes: UInt32?) throws -> KDFParameters {
        let parameters = KDFParameters(
            passes: passes ?? KDFParameters.unlockDefault.passes,
            memoryMiB: memory ?? KDFParameters.unlockDefault.memoryMiB)
        do throws(KDFError) {
            try parameters.validate(physicalMemoryMiB: ProcessInfo.processInfo.physicalMemory >> 20)
        } catch {
            throw Failure(
                .kdfOutOfBounds, "These parameters of the key derivation are out of bounds.",
                hint: "Take 3 to 10 passes, and 64 to 4096 MiB but at most half of this machine's memory.")
        }
        return parameters
    }

    /// A kit travels, so guessing it is made dearer than unlocking: four times the memory where there is
    /// as much, and one more pass.
    static func kit(_ unlock: KDFParameters) -> KDFParameters {
        let half = UInt32(clamping: ProcessInfo.processInfo.physicalMemory >> 21)
        return KDFParameters(
            passes: min(10, unlock.passes + 1), memoryMiB: max(unlock.memoryMiB, min(unlock.memoryMiB * 4, half, 4096)))
    }
}
