internal import ArgumentParser
internal import Foundation
internal import KitImage
internal import Sealing
internal import Vault
internal import VaultFileSystem

struct KitCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "kit",
        abstract: "Issue a kit: the account key, wrapped by the master password, as a QR code.",
        discussion: VerbHelp.text(
            """
            The kit lets a second device join and serves as a backup on paper. It opens with the e-mail address \
            and the master password only, at a higher cost than unlocking. It says where the remote is, where one is \
            set, and the other devices are told of it. With --email it is printed as a message to the address, with \
            the picture attached: mail is not secret, so that kit costs twice as much again.
            """,
            examples: [
                "coffer kit --png kit.png --address ann@example.org", "coffer kit --text | lpr",
                "coffer kit --email --address ann@example.org | sendmail -t",
            ],
            codes: .opening))

    @OptionGroup var vault: VaultOptions
    @OptionGroup var password: PasswordOptions

    @Option(
        name: .long, help: ArgumentHelp("Write a PNG picture.", valueName: "file"),
        completion: .file(extensions: ["png"]))
    var png: String?

    @Option(
        name: .long, help: ArgumentHelp("Write an SVG picture.", valueName: "file"),
        completion: .file(extensions: ["svg"]))
    var svg: String?

    @Flag(name: .long, help: "Print the kit as text instead of as a picture.")
    var text = false

    @Flag(name: .long, help: "Print a message to the address, ready to be sent, with the kit as a picture.")
    var email = false

    @Option(name: .long, help: ArgumentHelp("The e-mail address that the kit is bound to.", valueName: "address"))
    var address: String = ""

    func validate() throws {
        // RFC 5321, 4.5.3.1.3: a path of 256 bytes with its angle brackets.
        guard address.utf8.count <= 254 else { throw ValidationError("--address takes at most 254 bytes.") }
        guard email else { return }
        guard !text else { throw ValidationError("--email and --text both print; take one of them.") }
        guard !address.isEmpty else {
            throw ValidationError("--email needs --address: where the message goes, and what joining asks for.")
        }
        guard KitMail.takes(address) else {
            throw ValidationError(
                "--email takes an address like ann@example.org; for others, send the picture of --png.")
        }
    }

    func run() throws {
        try vault.requireFile()
        for file in [png, svg].compactMap({ $0 }) { try KitWriter.check(file, besides: vault.path) }
        let (kit, fingerprint) = try vault.mount.map { try issue(mounted: $0) } ?? issueUnmounted()
        if let png { try KitWriter.write(kit, to: png, as: .png, besides: vault.path) }
        if let svg { try KitWriter.write(kit, to: svg, as: .svg, besides: vault.path) }
        if text { unsafe Console.result((kit + [0x0A]).span.bytes) }
        if email { try printMessage(kit) }
        if png == nil, svg == nil, !text, !email {
            let picture = try KitWriter.render(kit, as: .terminal)
            unsafe Console.result(picture.span.bytes)
        }
        Console.say("Fingerprint: \(fingerprint)")
    }

    private func printMessage(_ kit: [UInt8]) throws {
        guard let mail = KitMail(to: address, kit: kit, date: Date()) else {
            throw Failure(.otherError, "What was issued is no kit.")
        }
        let message: [UInt8]
        do throws(KitImageError) { message = try mail.encoded() } catch {
            throw Failure(.otherError, "The kit cannot be drawn: \(error).")
        }
        unsafe Console.result(message.span.bytes)
        Console.say(
            "Warning: mail is not secret. Whoever reads the message can try master passwords on the kit, each at "
                + "\(mail.cost.passes) passes over \(mail.cost.memoryMiB) MiB.")
    }

    /// The process behind the mount has the vault open: it is asked to.
    private func issue(mounted mount: MountTable.Mount) throws -> ([UInt8], String) {
        let secret = try password.readLine(prompt: "Master password: ")
        _ = try MasterPassword.from(secret)
        do throws(CommandError) {
            let kit = try mount.issueKit(password: secret, email: address, isMailed: email)
            if hasRemote(kit.text) {
                Interrupts.block()
                SyncClient(mount, vault.path).announceKit()
            }
            return (kit.text, kit.fingerprint)
        } catch {
            throw Failure(error, vault: vault.path)
        }
    }

    private func hasRemote(_ kit: [UInt8]) -> Bool { Kit(text: kit)?.remote.isEmpty == false }

    private func issueUnmounted() throws -> ([UInt8], String) {
        let secret = try password.read()
        let opened = try vault.open(secret)
        return try vault.withHost(opened) { client in
            let unlock: KDFParameters
            do throws(VaultError) { unlock = try opened.unlockParameters() } catch {
                throw Failure(error, vault: opened.path)
            }
            let kit = try KitWriter.issue(
                opened, password: secret, email: address, parameters: KDFOptions.kit(unlock, isMailed: email))
            if hasRemote(kit) { client.announceKit() }
            return (kit, opened.fingerprint.joined(separator: " "))
        }
    }
}
