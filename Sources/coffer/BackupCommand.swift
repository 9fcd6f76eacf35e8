internal import ArgumentParser
internal import Format
internal import Foundation
internal import Glibc
internal import SystemPackage
internal import Vault
internal import VaultFileSystem

struct BackupCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "backup",
        abstract: "Take a backup of the vault, verify one, or bring one back.",
        discussion: VerbHelp.text(
            """
            A backup is one file with the whole vault as it was at one moment: entries, history, trash, large files, \
            keys. It is ciphertext, and opens with the master password of that moment. It can be taken while the vault \
            is mounted. A copy of the vault's file alone is no backup then: the latest changes stand in the files beside it.
            """,
            examples: [
                "coffer backup create ~/backup/coffer-$(date +%F)", "coffer backup verify ~/backup/coffer-2026-11-30",
                "coffer backup restore ~/backup/coffer-2026-11-30",
            ],
            codes: .opening + [.vaultExists, .entryExists]),
        subcommands: [Create.self, Verify.self, Restore.self])

    /// The backup's file; relative to the working directory.
    static func path(_ file: String) throws -> FilePath {
        guard !file.isEmpty else { throw ValidationError("The backup's file has no name.") }
        return Directories.absolute(file)
    }

    /// On a terminal, where it takes long.
    static func progress(_ what: String) -> Backup.Progress {
        let start = ContinuousClock.now
        return { done, all in
            if start.duration(to: .now) > .seconds(1) {
                Console.progress("\(what): \(done >> 20) of \(all >> 20) MiB")
            }
            return !Interrupts.wait(.zero)
        }
    }

    static func moment(_ seconds: Int64) -> String {
        // The years 0 to 9999: what somebody has written there may be any number.
        Moment.iso8601(Int(min(max(seconds, -62_167_219_200), 253_402_300_799)))
    }
}

extension BackupCommand {
    struct Create: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Write the whole vault, as it is now, into one file.",
            discussion: VerbHelp.text(
                """
                Asks for no password, so that a timer can run it, and works while the vault is mounted or not. While it \
                copies, a mounted vault goes on; one that is not mounted cannot be mounted until it is done. The structure \
                of the vault is checked first, and the backup is read back before it gets its name: there is a whole \
                backup or none.

                Only `coffer backup verify` with the password tells that everything in it opens.
                """,
                examples: ["coffer backup create /mnt/usb/coffer-$(date +%F)"],
                codes: [.mountPointUnusable, .noVault, .vaultInUse, .integrityError, .entryExists]))

        @OptionGroup var vault: VaultOptions

        @Argument(help: "The file to write; it must not exist.", completion: .file())
        var file: String

        @Flag(name: .long, help: "Put it in the place of an older backup of this vault.")
        var replace = false

        @Flag(name: .long, help: "Print the result as JSON.")
        var json = false

        func run() throws {
            let target = try BackupCommand.path(file)
            try vault.requireFile()
            Interrupts.block()
            let summary = try vault.backUp(to: target, replaces: replace)
            Console.endProgress()
            if json {
                return Console.json([
                    "backup": target.string, "vault": summary.vault.hexadecimal, "bytes": "\(summary.bytes)",
                    "time": BackupCommand.moment(summary.seconds),
                ])
            }
            Console.result("Backup of \(vault.path) in \(target), \(max(1, summary.bytes >> 10)) KiB.")
        }
    }

    struct Restore: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Bring the vault back as it was when the backup was taken.",
            discussion: VerbHelp.text(
                """
                Writes to the place of the vault (--vault). The same vault, where one is there, is not deleted: it gets \
                another name and can be opened with --vault. Another vault is left alone (21). Nothing is written before \
                the whole backup was read and is whole.

                Where a remote is set, the next `coffer sync` brings back what other devices have. This device goes on \
                as itself where the remote has no later changes of its own; else it becomes a device of its own, whose \
                name says so.
                """,
                examples: ["coffer backup restore /mnt/usb/coffer-2026-11-30"],
                codes: [.mountPointUnusable, .noVault, .vaultExists, .vaultInUse, .integrityError]))

        @OptionGroup var vault: VaultOptions

        @Argument(help: "The backup.", completion: .file())
        var file: String

        @Flag(name: .long, help: "Print the result as JSON.")
        var json = false

        func run() throws {
            let backup = try BackupCommand.path(file)
            let path = Directories.resolved(vault.path)
            if let mount = try vault.mount {
                throw Failure(
                    .vaultInUse, "The vault \(vault.path) is mounted at \(mount.directory); nothing was changed.",
                    hint: "Lock it with `coffer lock` first.")
            }
            Interrupts.block()
            let restored: Backup.Restored
            do throws(BackupError) {
                restored = try Backup.restore(
                    backup, to: path, stateDirectory: Directories.state,
                    progress: BackupCommand.progress("Restoring"))
            } catch {
                throw try Failure.of(error, backup: backup, vault: vault.path)
            }
            Console.endProgress()
            report(restored, path)
        }

        private func report(_ restored: Backup.Restored, _ path: FilePath) {
            let time = BackupCommand.moment(restored.summary.seconds)
            if json {
                return Console.json([
                    "path": path.string, "vault": restored.summary.vault.hexadecimal, "time": time,
                    "earlier": restored.earlier?.string ?? "",
                ])
            }
            Console.result("The vault \(path) is as it was at \(time).")
            if let earlier = restored.earlier {
                Console.say("What was there before is at \(earlier); it opens with --vault \(earlier).")
            } else if !restored.setAside.isEmpty {
                let names = restored.setAside.map(\.string).joined(separator: " and ")
                Console.say("Parts of a vault that were there are kept in \(names).")
            }
        }
    }
}

extension VaultOptions {
    /// Takes a backup: by way of the process that has the vault open, or of the closed vault.
    fileprivate func backUp(to target: FilePath, replaces: Bool) throws -> Backup.Summary {
        var (end, holder) = (ContinuousClock.now + .seconds(3), Int32?.none)
        while true {
            do {
                return try backUpOnce(to: target, replaces)
            } catch {
                // Another verb lets go of it in a moment; of a mount, when the kernel has told of the file that it closed.
                guard isShort(error) else { throw try Failure.of(error, backup: target, vault: path) }
                if case .open(let process) = try? Vault.state(of: Directories.resolved(path)), process != holder {
                    (end, holder) = (ContinuousClock.now + .seconds(3), process)
                }
                guard ContinuousClock.now < end else { throw try Failure.of(error, backup: target, vault: path) }
                _ = poll(nil, 0, 20)
            }
        }
    }

    private func isShort(_ error: any Error) -> Bool {
        switch error {
        case BackupError.isBeingTaken: true
        case BackupError.vault(.inUse): (try? mount) == nil
        default: false
        }
    }

    private func backUpOnce(to target: FilePath, _ replaces: Bool) throws -> Backup.Summary {
        let progress = BackupCommand.progress("Backing up")
        guard let mount = try mount else {
            return try Backup.create(
                of: .closed(Directories.resolved(path)), at: target, replaces: replaces, progress: progress)
        }
        guard !mount.contains(target) else { throw BackupError.withinVault }
        guard let hold = try mount.holdForBackup() else { throw BackupError.isBeingTaken }
        return try Backup.create(
            of: .held(mount.vault) { hold.isHeld }, at: target, replaces: replaces, progress: progress)
    }
}

extension MountTable.Mount {
    /// Whether a file would be in the mounted vault itself.
    fileprivate func contains(_ path: FilePath) -> Bool {
        let folder = Directories.resolved(path.removingLastComponent())
        return folder == directory || folder.starts(with: directory)
    }
}
