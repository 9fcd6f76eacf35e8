internal import ArgumentParser
internal import Format
internal import Foundation
internal import Sealing
internal import SystemPackage
internal import Vault

struct Init: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Make a vault.",
        discussion: VerbHelp.text(
            """
            Draws a random account key, wraps it with your master password, and makes an empty vault. Prints the \
            vault's id and six words by which you compare it when a second device joins. With --kit also writes \
            the kit: a page with the wrapped account key, for a second device and as a backup on paper. Nobody can bring \
            back a master password that is forgotten: no kit, no other device, and no maker of this program.

            Without --kdf-memory and --kdf-passes, the cost of deriving the key is measured and chosen so that \
            unlocking takes about half a second on this machine.
            """,
            examples: ["coffer init --email ann@example.org --kit kit.png"],
            codes: [.kdfOutOfBounds, .vaultExists, .weakPassword, .vaultInUse]))

    @OptionGroup var vault: VaultOptions
    @OptionGroup var password: PasswordOptions

    @Option(
        name: .long,
        help: ArgumentHelp(
            "The account's e-mail address: kits are bound to it, and joining asks for it.", valueName: "address"))
    var email: String?

    @Option(
        name: .long, help: ArgumentHelp("Write a kit: .png, .svg or .txt by its ending.", valueName: "file"),
        completion: .file(extensions: ["png", "svg", "txt"]))
    var kit: String?

    @Option(
        name: .long, help: ArgumentHelp("Memory for deriving the key at unlock, in MiB (64 to 4096).", valueName: "MiB")
    )
    var kdfMemory: UInt32?

    @Option(name: .long, help: ArgumentHelp("Passes for deriving the key at unlock (3 to 10).", valueName: "N"))
    var kdfPasses: UInt32?

    @OptionGroup var device: DeviceOptions

    @Flag(name: .long, help: "Take a password that is easily guessed.")
    var allowWeakPassword = false

    @Flag(name: .long, help: "Print the result as JSON.")
    var json = false

    func validate() throws {
        if let kit, KitWriter.form(of: kit) == nil {
            throw ValidationError("--kit takes a name that ends in .png, .svg or .txt.")
        }
        if let email { try EmailOption.check(email, "--email") }
    }

    func run() throws {
        let path = vault.path
        do throws(VaultError) { try Vault.checkFree(path) } catch { throw Failure(error, vault: path) }
        if let kit { try KitWriter.check(kit, besides: path) }
        let chosen = try KDFOptions.chosen(memory: kdfMemory, passes: kdfPasses)
        let secret = try MasterPassword.from(password.readNew(prompt: "Choose a master password: "))
        try secret.requireStrength(unless: allowWeakPassword)
        let parameters = chosen ?? KDFOptions.calibrated()
        let made: Vault
        do throws(VaultError) {
            made = try Vault.create(
                at: path, password: secret,
                options: Vault.CreationOptions(parameters: parameters, stateDirectory: Directories.state))
        } catch {
            throw Failure(error, vault: path)
        }
        defer { try? made.close() }
        try device.keep(in: made)
        if let email { try keep(email, in: made, secret) }
        report(made)
        if !json { secret.tellStrength(kit: KDFOptions.kit(parameters)) }
        if let kit {
            let text = try KitWriter.issue(
                made, password: secret, email: email ?? "", parameters: KDFOptions.kit(parameters))
            let words = made.fingerprint.joined(separator: " ")
            let sheet = IssuedSheet(kit: text, fingerprint: words, address: email ?? "")
            try KitWriter.write(sheet, to: kit, as: KitWriter.form(of: kit) ?? .text, besides: path)
        }
        if !SecretBytes.isLockedInMemory {
            Console.say("Warning: memory cannot be locked here (ulimit -l), so keys could be swapped to disk.")
        }
    }

    private func keep(_ email: String, in made: Vault, _ secret: borrowing MasterPassword) throws {
        let admin: AdminKey
        do throws(VaultError) { admin = try made.wrappedKeys().adminKey(password: secret) } catch {
            throw Failure(error, vault: made.path)
        }
        try made.setAccountAddress(email, admin)
    }

    private func report(_ made: Vault) {
        let words = made.fingerprint.joined(separator: " ")
        if json {
            return Console.json(
                ["vault": made.identifier.hexadecimal, "path": made.path.string, "fingerprint": words])
        }
        Console.result("Vault \(made.identifier.hexadecimal) at \(made.path)")
        Console.result("Fingerprint: \(words)")
        Console.say("Nobody can bring back a master password that is forgotten: not we, not a kit, not another device.")
        Console.say("Mount it with: coffer mount DIR")
    }
}

/// What people call this device; for `init` and `join`.
struct DeviceOptions: ParsableArguments {
    @Option(
        name: .long,
        help: ArgumentHelp("What this device is called; the machine's name by default.", valueName: "name"))
    var deviceName: String?

    func validate() throws {
        if let deviceName, SyncSettings.cleaned(deviceName) == nil {
            throw ValidationError("--device-name takes 1 to 40 bytes without slashes and control characters.")
        }
    }

    func keep(in vault: Vault, remote: RemoteSettings? = nil) throws {
        var settings = SyncSettings(deviceName: deviceName)
        settings.remote = remote
        do throws(VaultError) { try vault.setSyncSettings(settings.encoded) } catch {
            throw Failure(error, vault: vault.path)
        }
    }
}

extension MasterPassword {
    /// Says what it takes to guess it.
    borrowing func tellStrength(kit: KDFParameters) {
        let strength = strength()
        var text = "Whoever has your kit needs about \(strength.words(at: kit)) with one graphics card to guess this "
        text += "password."
        if strength.seconds(at: kit) < 100 * 31_557_600 {
            text += " Five or more random words, drawn with dice or by a program, make it better: coffer passwd."
        }
        Console.say(text)
    }

    borrowing func requireStrength(unless allowed: Bool) throws {
        guard !allowed else { return }
        do throws(PasswordError) { try checkStrength() } catch { throw Failure(error) }
    }
}

/// The cost of deriving keys, from the command line or measured.
enum KDFOptions {
    /// nil where nothing was asked for.
    static func chosen(memory: UInt32?, passes: UInt32?) throws -> KDFParameters? {
        guard memory != nil || passes != nil else { return nil }
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

    /// What takes about half a second here.
    static func calibrated() -> KDFParameters {
        .calibrated(physicalMemoryMiB: ProcessInfo.processInfo.physicalMemory >> 20)
    }

    /// What opening a kit costs.
    static func kit(_ unlock: KDFParameters, isMailed: Bool = false) -> KDFParameters {
        let memory = ProcessInfo.processInfo.physicalMemory >> 20
        return isMailed
            ? .mailedKit(for: unlock, physicalMemoryMiB: memory) : .kit(for: unlock, physicalMemoryMiB: memory)
    }
}
