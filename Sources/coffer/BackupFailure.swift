internal import Glibc
internal import SystemPackage
internal import Vault

extension Failure {
    /// What went wrong with a backup, in a sentence.
    ///
    /// - Throws: what ends the program without one.
    static func of(_ error: any Error, backup: FilePath, vault: FilePath) throws -> Failure {
        Console.endProgress()
        guard let error = error as? BackupError else { return Failure(error, vault: vault) }
        if case .interrupted = error { throw Silent(code: 128 + SIGINT) }
        return Failure(error, backup, vault)
    }

    private init(_ error: BackupError, _ backup: FilePath, _ vault: FilePath) {
        switch error {
        case .missing, .notABackup, .newerFormat, .damaged: self.init(reading: error, backup)
        case .otherVault:
            self.init(
                .vaultExists, "What is at \(vault) is not the vault of this backup; it was left as it is.",
                hint: "Move it away, or restore to another place with --vault.")
        case .exists:
            self.init(
                .entryExists, "There is \(backup) already; it was left as it is.",
                hint: "Name another file, or put the backup in the place of an older one of this vault with --replace.")
        case .withinVault:
            self.init(
                .usage, "\(backup) would be in the vault itself, or take the name of one of its files.",
                hint: "Name a file on another disk.")
        case .isBeingTaken:
            self.init(.vaultInUse, "Another backup of the vault \(vault) is being taken.", hint: "Try again later.")
        case .cutOff:
            self.init(
                .vaultInUse,
                "The vault \(vault) was locked, or its disk became full, before all of it was copied; "
                    + "no backup was written.", hint: "Try again.")
        case .vault(let error): self.init(error, vault: vault)
        case .interrupted: self.init(.otherError, "Interrupted.")
        case .io(let errno, let doing):
            self.init(.otherError, "\(doing): \(errno).", hint: errno == .noSpace ? "Free some space." : nil)
        }
    }

    private init(reading error: BackupError, _ backup: FilePath) {
        switch error {
        case .missing: self.init(.noVault, "There is no backup at \(backup).", hint: "Check the name.")
        case .notABackup:
            self.init(
                .noVault, "What is at \(backup) is no backup of a vault.",
                hint:
                    "Backups are files that `coffer backup create` has written. A vault's file can be named with --vault."
            )
        case .newerFormat(let version):
            self.init(
                .noVault, "The backup \(backup) was made by a newer coffer (format \(version)).",
                hint: "Update coffer on this machine; nothing was changed.")
        case .damaged(let what):
            self.init(
                .integrityError, "The backup \(backup) is damaged: \(what).",
                hint: "Nothing was changed. Take an older backup, or have the vault from another device with "
                    + "`coffer join`.")
        default: self.init(.otherError, "The backup \(backup) could not be read: \(error).")
        }
    }
}
