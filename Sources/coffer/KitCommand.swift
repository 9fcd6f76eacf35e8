internal import ArgumentParser
internal import Foundation
internal import KitImage
internal import Sealing
internal import Vault
internal import VaultFileSystem

struct KitCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "kit",
        abstract: "Issue a kit: a page with the account key, wrapped by the master password.",
        discussion: VerbHelp.text(
            """
            The kit lets a second device join and serves as a backup on paper: a page with a QR code and its letters, \
            the account's address, the vault's six words, the date, what it is for, and how to join. It is shown on the \
            terminal, or written to files by their ending: .png, .svg and .txt are to be printed, and each is read back \
            by `coffer join`, from a photograph of the paper, too.

            It opens with the e-mail address and the master password of today only, at a higher cost than unlocking. \
            The address is the account's, unless --email names another one. It says where the remote is, where one is \
            set, and the other devices are told of it. Nothing on it can be changed without it failing to open. With \
            --mail it is printed as a message to the address, with the code attached as a picture: mail is not secret, \
            so that kit costs twice as much again.
            """,
            examples: [
                "coffer kit --output kit.png", "coffer kit --output kit.txt --email bob@example.org && lpr kit.txt",
                "coffer kit --mail | sendmail -t",
            ],
            codes: .opening))

    @OptionGroup var vault: VaultOptions
    @OptionGroup var password: PasswordOptions

    @Option(
        name: .long,
        help: ArgumentHelp("Write the page, as .png, .svg or .txt by its ending; may be repeated.", valueName: "file"),
        completion: .file(extensions: ["png", "svg", "txt"]))
    var output: [String] = []

    @Option(
        name: .long, help: ArgumentHelp("Write the page as a PNG picture, whatever the ending.", valueName: "file"),
        completion: .file(extensions: ["png"]))
    var png: String?

    @Option(
        name: .long, help: ArgumentHelp("Write the page as an SVG picture, whatever the ending.", valueName: "file"),
        completion: .file(extensions: ["svg"]))
    var svg: String?

    @Flag(name: .long, help: "Print the kit's letters alone, in one line, for programs.")
    var text = false

    @Flag(name: .long, help: "Print a message to the address, ready to be sent, with the kit as a picture.")
    var mail = false

    @Option(
        name: [.long, .customLong("address")],
        help: ArgumentHelp(
            "Bind the kit to this e-mail address instead of the account's (`coffer account`). For the kit as a message, "
                + "give --mail.",
            valueName: "address"))
    var email: String?

    func validate() throws {
        if let email, !email.isEmpty { try EmailOption.check(email, "--email") }
        if output.contains(where: { KitWriter.form(of: $0) == nil }) {
            throw ValidationError("--output takes a name that ends in .png, .svg or .txt.")
        }
        guard mail else { return }
        guard !text else { throw ValidationError("--mail and --text both print; take one of them.") }
        if let email, !KitMail.takes(email) { throw ValidationError(KitCommand.needsPlainAddress) }
    }

    private static let needsPlainAddress =
        "--mail takes an address like ann@example.org; for others, send the picture of --png."

    func run() throws {
        try vault.requireFile()
        for file in files { try KitWriter.check(file.name, besides: vault.path) }
        let mount = try vault.mount
        let issued = try mount.map { try issue(mounted: $0) } ?? issueUnmounted()
        for file in files { try KitWriter.write(issued, to: file.name, as: file.form, besides: vault.path) }
        if text { unsafe Console.result((issued.kit + [0x0A]).span.bytes) }
        if mail { try printMessage(issued.kit, to: issued.address) }
        if files.isEmpty, !text, !mail {
            let page = try KitWriter.render(issued.page, as: .terminal)
            unsafe Console.result(page.span.bytes)
        }
        Console.say("Fingerprint: \(issued.fingerprint)")
        Console.say(
            issued.address.isEmpty
                ? "The kit is bound to no e-mail address: join with --email ''."
                : "The kit is bound to \(issued.address): joining asks for that address.")
    }

    private var files: [(name: String, form: KitWriter.Form)] {
        output.map { ($0, KitWriter.form(of: $0) ?? .text) } + (png.map { [($0, .png)] } ?? [])
            + (svg.map { [($0, .svg)] } ?? [])
    }

    /// The address that was given, or the account's; the one of a message has to be fit for a header.
    private func chosen(_ account: @autoclosure () throws -> String?) throws -> String {
        let address = try email ?? account() ?? ""
        guard mail else { return address }
        guard !address.isEmpty else {
            throw Failure(
                .usage, "--mail needs an address: where the message goes, and what joining asks for.",
                hint: "Give --email ADDRESS, or set the account's with `coffer account set-email ADDRESS`.")
        }
        guard KitMail.takes(address) else { throw Failure(.usage, KitCommand.needsPlainAddress) }
        return address
    }

    private func printMessage(_ kit: [UInt8], to address: String) throws {
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
    private func issue(mounted mount: MountTable.Mount) throws -> IssuedSheet {
        let client = SyncClient(mount, vault.path)
        let address = try chosen(
            Interrupts.blocked { try client.perform(.account, secret: SecretBytes(count: 0)).account?.email })
        let secret = try password.readLine(prompt: "Master password: ")
        _ = try MasterPassword.from(secret)
        do throws(CommandError) {
            let kit = try mount.issueKit(password: secret, email: address, isMailed: mail)
            if hasRemote(kit.text) {
                Interrupts.block()
                client.announceKit()
            }
            return IssuedSheet(kit: kit.text, fingerprint: kit.fingerprint, address: address)
        } catch {
            throw Failure(error, vault: vault.path)
        }
    }

    private func hasRemote(_ kit: [UInt8]) -> Bool { Kit(text: kit)?.remote.isEmpty == false }

    private func issueUnmounted() throws -> IssuedSheet {
        let secret = try password.read(locked: vault.path)
        let opened = try vault.open(secret)
        return try vault.withHost(opened) { client in
            let address = try chosen(SyncSettings.kept(in: opened).account?.email)
            let unlock: KDFParameters
            do throws(VaultError) { unlock = try opened.unlockParameters() } catch {
                throw Failure(error, vault: opened.path)
            }
            let kit = try KitWriter.issue(
                opened, password: secret, email: address, parameters: KDFOptions.kit(unlock, isMailed: mail))
            if hasRemote(kit) { client.announceKit() }
            return IssuedSheet(kit: kit, fingerprint: opened.fingerprint.joined(separator: " "), address: address)
        }
    }
}
