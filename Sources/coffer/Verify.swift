internal import ArgumentParser
internal import Foundation
internal import Sealing
internal import SystemPackage
internal import Vault
internal import VaultFileSystem

struct Verify: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Read and authenticate everything, and name what is damaged.",
        discussion: VerbHelp.text(
            """
            Exit code 26 where anything is damaged. With --accept, a damaged or older vault is made consistent \
            again with what is intact of it; what does not open is set aside inside the file, nothing is deleted. An entry \
            whose content is damaged goes back to its latest version that is intact; without one it is set aside.
            """,
            examples: ["coffer verify", "coffer verify --accept"],
            codes: [.mountPointUnusable] + .opening))

    @OptionGroup var vault: VaultOptions
    @OptionGroup var password: PasswordOptions

    @Flag(name: .long, help: "Go on with what is intact.")
    var accept = false

    @Flag(name: .long, help: "Print JSON.")
    var json = false

    func run() throws {
        try vault.requireFile()
        if let mount = try vault.mount {
            try requireNoAccept(mount)
            let text: [UInt8]
            do throws(MountError) { text = try mount.readControl("verify") } catch {
                throw Failure(error, vault: vault.path)
            }
            guard let report = try? JSONDecoder().decode(VerifyOutcome.self, from: Data(text)) else {
                throw Failure(.otherError, "The mounted vault gave no answer.")
            }
            return try tell(report)
        }
        let secret = try password.read(locked: vault.path)
        if accept { try acceptDamage(secret) }
        let opened = try vault.open(secret, readOnly: true, tolerateDamage: true)
        defer { try? opened.close() }
        let report: VerifyReport
        do throws(VaultError) {
            report = try opened.verify { done, all in Console.progress("\(done) of \(all) files") }
        } catch {
            throw Failure(error, vault: vault.path)
        }
        Console.endProgress()
        try tell(VerifyOutcome(report))
    }

    private func requireNoAccept(_ mount: MountTable.Mount) throws {
        guard accept else { return }
        throw Failure(
            .vaultInUse, "The vault \(vault.path) is mounted at \(mount.directory); nothing was set aside.",
            hint: "Lock it with `coffer lock` first.")
    }

    private func acceptDamage(_ secret: borrowing MasterPassword) throws {
        do throws(VaultError) {
            let accepted = try Vault.acceptDamage(
                at: Directories.resolved(vault.path), password: secret, stateDirectory: Directories.state)
            for entry in accepted.entries {
                Console.say("\(entry.path ?? "the vault"): \(entry.what)")
            }
            Console.say(
                accepted.rows == 0 ? "Nothing had to be set aside." : "\(accepted.rows) damaged rows were set aside.")
        } catch {
            throw Failure(error, vault: vault.path)
        }
    }

    private func tell(_ outcome: VerifyOutcome) throws {
        try Self.tell(
            outcome, json: json, of: "The vault",
            hint: accept
                ? "Restore it from a backup."
                : "Restore it from a backup, or go on with what is intact: coffer verify --accept")
    }

    /// - Parameter subject: what was read.
    static func tell(_ outcome: VerifyOutcome, json: Bool, of subject: String, hint: String) throws {
        if json {
            Console.json(outcome)
        } else {
            Console.result("\(outcome.rows) rows and \(outcome.contentBytes) bytes of content read and authenticated.")
            for line in outcome.damage { Console.result("Damaged: \(line)") }
        }
        guard outcome.damage.isEmpty else {
            throw Failure(
                .integrityError, "\(subject) is damaged in \(outcome.damage.count) places.", hint: hint)
        }
    }
}
