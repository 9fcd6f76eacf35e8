internal import SystemPackage
internal import Vault
internal import VaultFileSystem

/// How a verb ends. The numbers are a promise to scripts: they never change their meaning, and the
/// table in the manual is checked against this one by a test.
enum ExitCode: Int32, CaseIterable, Codable {
    case done = 0
    case otherError = 1
    case mountPointUnusable = 10
    case wrongPassword = 12
    case kdfOutOfBounds = 13
    case noVault = 20
    case vaultExists = 21
    case weakPassword = 22
    case vaultInUse = 24
    case integrityError = 26
    case notSaved = 27
    case remoteUnreachable = 30
    case remoteRolledBack = 31
    case remoteForked = 32
    case mismatch = 33
    case deviceRevoked = 34
    case logSetAside = 35
    case noSuchEntry = 40
    case entryExists = 41
    case notUnderstood = 42
    case usage = 64
}

/// Why a verb did not do what it was asked: one sentence of what happened and what it means, one of
/// what to do.
struct Failure: Error, Codable, Sendable {
    var code: ExitCode
    var message: String
    var hint: String?
    /// What it is about, where the remote or this copy of the vault is not what it was.
    var alarm: SyncOverview.Alarm?

    init(_ code: ExitCode, _ message: String, hint: String? = nil) {
        self.code = code
        self.message = message
        self.hint = hint
    }
}

extension Failure {
    /// The one place where errors of the layers below get their code and their words.
    init(_ error: any Error, vault: FilePath) {
        switch error {
        case let failure as Failure: self = failure
        case let error as VaultError: self.init(error, vault)
        case let error as MountError: self.init(error)
        case let error as CommandError: self.init(error, vault)
        case let error as Errno: self.init(.otherError, "The system refused: \(error).")
        default: self.init(.otherError, "It did not work: \(error).")
        }
    }

    /// What a newer program has written: neither damage nor an alarm.
    private static func newer(_ message: String) -> Failure {
        Failure(.otherError, message, hint: "Update coffer on this machine; nothing was changed.")
    }

    private init(_ error: VaultError, _ vault: FilePath) {
        switch error {
        case .notFound:
            self.init(
                .noVault, "There is no vault at \(vault).",
                hint: "Make one with `coffer init`, or name another with --vault.")
        case .alreadyExists:
            self.init(
                .vaultExists, "There is something at \(vault) already; it was left as it is.",
                hint: "Name another place with --vault, or, if this is your vault, mount it with `coffer mount DIR`.")
        case .inUse:
            self.init(
                .vaultInUse, "The vault \(vault) is in use by another process.",
                hint: "See where it is mounted with `coffer status`, and lock it with `coffer lock`.")
        case .notAVault:
            self.init(
                .noVault, "What is at \(vault) is no vault.", hint: "Name the vault's file with --vault.")
        case .newerFormat(let version):
            self = .newer("The vault \(vault) was written by a newer coffer (format \(version)).")
        case .newerRecords:
            self = .newer("A newer coffer has put something into the vault \(vault) that this one does not know.")
        case .wrongPassword:
            self.init(
                .wrongPassword, "The password does not open this vault.",
                hint: "Check the keyboard layout and Caps Lock, and try again.")
        case .parametersOutOfBounds:
            self.init(
                .kdfOutOfBounds, "The vault asks for a key derivation outside of the safe bounds; it was not run.",
                hint: "The file was changed, or comes from elsewhere: restore it from a backup.")
        case .outOfMemory:
            self.init(
                .otherError, "There is not enough memory to open the vault \(vault); nothing was changed.",
                hint: "Close other programs, or raise the limits (ulimit -v, ulimit -d), and try again.")
        case .weakPassword(let why):
            self.init(
                .weakPassword, "This master password is too weak: \(why).",
                hint: "Take four or more random words, or override with --allow-weak-password.")
        case .damaged(let damage): self.init(damage)
        case .partOfAnother(let part):
            self.init(
                .vaultExists, "There is \(part), a part of another vault; it was left as it is.",
                hint: "Put it back beside its vault, which is not whole without it, or name another with --vault.")
        case .unreadable:
            self.init(
                .integrityError, "The vault \(vault) is damaged at its very beginning: nothing of it can be read.",
                hint: "Restore it from a backup, or have it from another device with `coffer join`.")
        case .incomplete(let missing): self.init(missing, of: vault)
        case .planted(let path, let kind): self.init(path, kind: kind, in: vault)
        case .rolledBack(let count):
            self.init(
                .integrityError,
                "The vault \(vault) is an older copy: \(count) changes that were made here are not in it.",
                hint: "Put the newer file back, or read this one with `coffer mount --read-only DIR`; "
                    + "`coffer verify --accept` makes it the current one.")
        case .unwritableFolder(isBehind: false):
            self.init(
                .otherError, "The folder of the vault \(vault) cannot be written; nothing was changed.",
                hint: "Read it with `coffer mount --read-only DIR`, or copy it and \(vault)-chunks, "
                    + "if that is there, to a folder that can.")
        case .unwritableFolder(isBehind: true):
            self.init(
                .otherError,
                "The folder of the vault \(vault) cannot be written, and its last changes are in files beside it still.",
                hint: "Copy it to a folder that can, with those of \(vault)-wal, -redo and -chunks that are there.")
        case .io(let errno, let doing):
            self.init(.otherError, "\(doing): \(errno).", hint: Failure.hint(errno))
        }
    }

    /// Something lies where a file of the vault's belongs.
    private init(_ path: FilePath, kind: String, in vault: FilePath) {
        self.init(
            .integrityError,
            "\(path) is \(kind), and no file of the vault \(vault), whose changes would go there: somebody else has put it "
                + "there, and the vault was not opened.",
            hint: "Give it another name, such as \(path).other, and try again; nothing was changed.")
    }

    /// A copy without its companions.
    private init(_ missing: [FilePath], of vault: FilePath) {
        self.init(
            .integrityError,
            "The vault \(vault) is not whole: it was copied while it was in use, and its latest changes stand in "
                + "\(missing.map(\.string).joined(separator: " and ")), which is not there or of another state.",
            hint: "Copy that from the same place, too, or take a backup there with `coffer backup create`. What is "
                + "here can be read with `coffer mount --read-only DIR`; `coffer verify --accept` goes on with it.")
    }

    private static func hint(_ errno: Errno) -> String? {
        switch errno {
        case .noSpace: "Free some space."
        case .tooManyOpenFiles: "Raise the limit (ulimit -n), and try again; the vault is as it was."
        case .tooManyOpenFilesInSystem: "Close other programs, and try again; the vault is as it was."
        case .fileNameTooLong: "Take a path of at most 480 bytes, with a name of at most 230."
        default: nil
        }
    }

    init(_ damage: [Damage]) {
        let first = damage.prefix(3).map { ($0.path.map { "\($0): " } ?? "") + $0.what }.joined(separator: "; ")
        let more = damage.count > 3 ? " and \(damage.count - 3) more" : ""
        self.init(
            .integrityError, "The vault's file is damaged or was tampered with: \(first)\(more).",
            hint: "Restore it from a backup, or read what is intact with `coffer mount --read-only DIR`; "
                + "`coffer verify --accept` goes on with what is intact.")
    }

    private init(_ error: CommandError, _ vault: FilePath) {
        switch error {
        case .mount(let error): self.init(error)
        case .vault(let error): self.init(error, vault)
        case .readOnly:
            self.init(
                .vaultInUse, "The vault \(vault) is mounted read-only, and takes no command.",
                hint: "Lock it with `coffer lock` first.")
        case .locked:
            self.init(
                .otherError, "The vault \(vault) was locked meanwhile; nothing was changed.", hint: "Try again.")
        case .unanswered:
            self.init(
                .otherError, "The process behind the mount ended before it answered.",
                hint: "See what was done: unlock the vault with the password that should be valid now.")
        case .notUnderstood:
            self.init(
                .vaultInUse, "The process behind the mount is of another version and does not know this command.",
                hint: "Lock the vault with `coffer lock` first.")
        }
    }

    private init(_ error: MountError) {
        let code: ExitCode =
            switch error {
            case .stillLocking, .notResponding: .vaultInUse
            case .notSaved: .notSaved
            default: .mountPointUnusable
            }
        self.init(code, error.message, hint: error.hint)
    }

    /// The vault is unlocked by somebody else, whose mount nobody else gets into.
    init(_ others: OthersMount) {
        self.init(
            .vaultInUse, "The vault is unlocked at \(others.directory) by \(others.user), not by you.",
            hint: "Do this as \(others.user): FUSE lets nobody else in, not even root, unless it was mounted with "
                + "-o allow_other. Root locks it with: umount \(others.directory)")
    }
}
