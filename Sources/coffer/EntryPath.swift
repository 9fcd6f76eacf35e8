internal import SystemPackage
internal import Vault

/// The path of an entry or a folder, from the top of the vault. It means the same through the mount and in the vault's
/// file, and leads out of neither.
struct EntryPath: Sendable {
    /// The names on the way; none for the top itself.
    let names: [[UInt8]]
    /// As it was given, for messages.
    let text: String

    /// - Parameter argument: one of ``RawArguments``.
    init(_ argument: String) throws {
        let bytes = RawArguments.bytes(of: argument)
        text = RawArguments.isText(argument) ? argument : ShellQuoting.quoted(bytes)
        names = bytes.split(separator: UInt8(ascii: "/")).map { Array($0) }.filter { $0 != Array(".".utf8) }
        guard !names.contains(Array("..".utf8)) else {
            throw Failure(
                .otherError, "\(text): `..` leads nowhere in a path of the vault.",
                hint: "Give the whole path from the top of the vault.")
        }
        // Unmounted there is no such name either: the mount has never let anybody make it.
        guard names.first != Array(".coffer".utf8) else {
            throw Failure(
                .otherError, "\(text): `.coffer` is not an entry, but where the mount takes its commands.",
                hint: "Use the verbs: `coffer status`, `coffer lock`, `coffer verify`.")
        }
    }

    /// Takes the mode of what was found at the path.
    func requireFile(_ mode: UInt32) throws {
        switch mode & FileType.mask {
        case FileType.regular: return
        case FileType.directory:
            throw Failure(
                .otherError, "\(names.isEmpty ? "The top of the vault" : text) is a folder, not an entry.",
                hint: "See what is in it with `coffer ls`.")
        case FileType.symbolicLink:
            throw Failure(
                .otherError, "\(text) is a symbolic link, which is not followed.",
                hint: "Name the entry itself.")
        default: throw Failure(.otherError, "\(text) is no regular file, and has nothing to print.")
        }
    }

    /// Why there is no content.
    func unreadable(_ error: Errno) -> Failure {
        isMissing(error)
            ? Failure(
                .noSuchEntry, "There is no entry \(text) in the vault.", hint: "See what there is with `coffer ls`.")
            : Failure(.otherError, "The entry \(text) cannot be read: \(error).")
    }

    /// Why there is no list.
    func unlisted(_ error: Errno) -> Failure {
        isMissing(error)
            ? Failure(.noSuchEntry, "There is no folder \(text) in the vault.")
            : Failure(.otherError, "\(names.isEmpty ? "The vault" : text) cannot be listed: \(error).")
    }

    /// The top is never missing.
    private func isMissing(_ error: Errno) -> Bool {
        !names.isEmpty && (error == .noSuchFileOrDirectory || error == .notDirectory)
    }
}
