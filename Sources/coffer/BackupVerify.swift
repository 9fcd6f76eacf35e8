internal import ArgumentParser
internal import Foundation
internal import Glibc
internal import Sealing
internal import SystemPackage
internal import Vault
internal import VaultFileSystem

extension BackupCommand {
    struct Verify: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Read a backup, and authenticate everything in it with the password.",
            discussion: VerbHelp.text(
                """
                Does for a backup what `coffer verify` does for the vault: each row, content, large file and earlier \
                version is opened. Exit code 26 where anything is damaged. The password is the one that the vault had when \
                the backup was taken. The vault itself is not needed.

                The backup's ciphertext is written beside it for the time being, or to $TMPDIR where that cannot be \
                written; never plaintext.
                """,
                examples: ["coffer backup verify /mnt/usb/coffer-2026-11-30"],
                codes: [.wrongPassword, .kdfOutOfBounds, .noVault, .weakPassword, .integrityError]))

        @OptionGroup var password: PasswordOptions

        @Argument(help: "The backup.", completion: .file())
        var file: String

        @Flag(name: .long, help: "Print JSON.")
        var json = false

        func run() throws {
            let backup = try BackupCommand.path(file)
            // What is no backup is found before a password is asked for.
            do throws(BackupError) { _ = try Backup.summary(of: backup) } catch {
                throw try Failure.of(error, backup: backup, vault: backup)
            }
            let secret = try password.read()
            let folder = try ScratchFolder(for: backup)
            defer { folder.remove() }
            folder.removeAtInterrupt()
            let report = try check(backup, in: folder.path, secret)
            Console.endProgress()
            try coffer.Verify.tell(VerifyOutcome(report), json: json, of: "The backup", hint: "Take another one.")
        }

        private func check(
            _ backup: FilePath, in folder: FilePath, _ secret: borrowing MasterPassword
        ) throws -> VerifyReport {
            do {
                let path = try Backup.unpack(backup, into: folder, progress: Self.progress("Reading"))
                let options = Vault.OpenOptions(
                    readOnly: true, tolerateDamage: true, stateDirectory: folder.appending("state"))
                let opened = try Vault.open(at: path, password: secret, options: options)
                defer { try? opened.close() }
                return try opened.verify { done, all in Console.progress("\(done) of \(all) files") }
            } catch {
                throw try Failure.of(error, backup: backup, vault: backup)
            }
        }

        /// An interruption is waited for by another thread.
        private static func progress(_ what: String) -> Backup.Progress {
            { done, all in
                Console.progress("\(what): \(done >> 20) of \(all >> 20) MiB")
                return true
            }
        }
    }
}

/// A folder that goes when the verb ends, also when somebody interrupts it.
private final class ScratchFolder: Sendable {
    let path: FilePath

    init(for backup: FilePath) throws {
        let beside = backup.removingLastComponent()
        let places = [
            beside.isEmpty ? FilePath(".") : beside,
            FilePath(ProcessInfo.processInfo.environment["TMPDIR"] ?? "/var/tmp"),
        ]
        for place in places {
            let path = place.appending(".coffer-verify-\(UUID().uuidString.prefix(8))")
            if unsafe mkdir(path.string, 0o700) == 0 {
                self.path = path
                return
            }
        }
        throw Failure(
            .otherError, "There is no folder to unpack the backup in: \(Errno(rawValue: errno)).",
            hint: "Name one that can be written in TMPDIR.")
    }

    func remove() { try? FileManager.default.removeItem(atPath: path.string) }

    func removeAtInterrupt() {
        Interrupts.block()
        Thread.detachNewThread { [self] in
            while !Interrupts.wait(.seconds(3600)) {}
            remove()
            _exit(130)
        }
    }
}
