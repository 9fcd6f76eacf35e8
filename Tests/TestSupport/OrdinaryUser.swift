import Foundation

/// A user without rights, with a vault's home of its own. Needs root.
public final class OrdinaryUser: Sendable {
    /// Its number: nobody's.
    public static let number = 65534

    private let vault: TestVault
    /// Its copy of the program.
    public let program: String

    private init(_ vault: TestVault, _ program: String) {
        (self.vault, self.program) = (vault, program)
    }

    /// Gives `body` a user with a home in which no vault is yet, and takes everything away, whatever happens.
    @discardableResult
    public static func with<R>(_ body: (OrdinaryUser, TestVault) throws -> R) throws -> R {
        let parent = try Program.copyForOtherUsers()
        defer { try? FileManager.default.removeItem(atPath: parent) }
        return try TestVault.with(in: parent, initialized: false, trueCost: true) { vault in
            let user = OrdinaryUser(vault, "\(parent)/coffer")
            try user.own(vault.home.path)
            return try body(user, vault)
        }
    }

    /// Makes everything below a path its own, but mount points that root has used.
    public func own(_ path: String) throws {
        try Command("sh", ["-c", "chown -R \(Self.number):\(Self.number) \"$1\" 2> /dev/null || true", "sh", path])
            .run(expecting: 0)
    }

    /// Words that run a program as this user.
    public static let words = [
        "setpriv", "--reuid", "\(number)", "--regid", "\(number)", "--clear-groups", "--",
    ]

    /// What is done before a script, in a mount name space of its own: /dev/fuse is open to everybody, as udev makes it, on
    /// any machine. `$COFFER`, `$DIR` and `$PASSWORD` are the program, the mount point and the file with the password.
    private static let prelude = """
        set -eu
        \(Mount.leaveOthers)
        export COFFER="$1" DIR="$2" PASSWORD="$3"
        [ "$(stat -c %a /dev/fuse)" = 666 ] || {
            mknod -m 666 "${COFFER%/*}/fuse" c 10 229 2> /dev/null || :
            mount --bind "${COFFER%/*}/fuse" /dev/fuse
        }
        """

    /// A script of root's in the same surroundings, in which the user does what stands behind `as_user`.
    public func rootScript(_ text: String) -> Command {
        let words = ["sh", program, vault.directory, vault.passwordFile]
        let function = "as_user() { \(Self.words.joined(separator: " ")) \"$@\"; }"
        return vault.home.command(
            "unshare", ["--mount", "sh", "-c", [Self.prelude, function, text].joined(separator: "\n")] + words)
    }

    /// A script of the user's, which ends with the first command that fails, in these surroundings.
    ///
    /// - Parameter before: what root does first.
    public func script(_ text: String, before: String = "") -> Command {
        let prelude = """
            \(Self.prelude)
            \(before)
            exec \(Self.words.joined(separator: " ")) bash -euxc "$4"
            """
        // A command behind ! never ends the script by itself (set in bash(1)).
        let checked = text.split(separator: "\n").map { line in
            let command = line.drop { $0 == " " }
            return command.hasPrefix("! ") ? "if \(command.dropFirst(2)); then exit 99; fi" : String(line)
        }
        let words = [program, vault.directory, vault.passwordFile, checked.joined(separator: "\n")]
        return vault.home.command("unshare", ["--mount", "sh", "-c", prelude, "sh"] + words)
    }
}
