import Foundation
import TestSupport
import Testing

/// What `-o` takes, and what modes get that are made in a mount.
@Suite struct MountOptionTests {
    private func mount(_ vault: TestVault, _ options: String) throws {
        try vault.opened("mount", vault.directory, "-o", options).run(expecting: 0)
    }

    private func mode(_ vault: TestVault, _ name: String) throws -> UInt32 {
        try Posix.status(vault.path(name)).st_mode & 0o7777
    }

    /// Those of mount(8) and fstab(5) that any file system takes, alone and all together.
    @Test func commonOptions() throws {
        let options = [
            "relatime", "norelatime", "noatime", "nodiratime", "diratime", "strictatime", "nostrictatime", "lazytime",
            "nolazytime", "sync", "async", "dirsync", "defaults", "auto", "noauto", "nofail", "_netdev", "user",
            "user=ann", "users", "nouser", "owner", "group", "rw", "silent", "iversion", "x-systemd.automount",
            "x-gvfs-show", "comment=mine", "exec", "suid", "dev", "noexec", "nosuid", "nodev", "umask=0022",
        ]
        try TestVault.with { vault in
            for option in options {
                try mount(vault, option)
                try vault.lock()
            }
            try mount(vault, options.joined(separator: ","))
            try vault.write("text", to: "entry")
            try vault.lock()
            for option in ["nonsense", "relatim"] {
                try vault.opened("mount", vault.directory, "-o", option).run(expecting: 10)
            }
            for option in ["umask=9", "umask=1777", "umask=", "umask=-1"] {
                try vault.opened("mount", vault.directory, "-o", option).run(expecting: 64)
            }
        }
    }

    /// The shell's own umask is 022 here, as most people's.
    @Test func whatIsMadeIsForItsOwnerOnly() throws {
        try TestVault.with { vault in
            let script = """
                umask 022
                cd "$0"
                echo key > key; mkdir folder; mkfifo pipe; cp key copy; echo x > .new && mv .new saved
                echo y > chosen; chmod 644 chosen; chmod 755 folder
                install -m 664 key installed; chmod g+s folder; mkdir folder/below
                """
            func run() throws { try vault.home.command("sh", ["-c", script, vault.directory]).run(expecting: 0) }
            try vault.opened("mount", vault.directory).run(expecting: 0)
            try run()
            for name in ["key", "pipe", "copy", "saved"] { #expect(try mode(vault, name) == 0o600, "\(name)") }
            #expect(try mode(vault, "folder/below") & 0o777 == 0o700)
            // What somebody asked for.
            #expect(try mode(vault, "chosen") == 0o644 && mode(vault, "folder") == 0o2755)
            #expect(try mode(vault, "installed") == 0o664)
            try vault.lock()
            // What is there keeps its mode, whatever the next mount's umask is.
            try mount(vault, "umask=0")
            #expect(try mode(vault, "key") == 0o600 && mode(vault, "chosen") == 0o644)
            try vault.home.command("sh", ["-c", "rm -rf \"$0\"/*", vault.directory]).run(expecting: 0)
            try run()
            #expect(try mode(vault, "key") == 0o644 && mode(vault, "folder/below") & 0o777 == 0o755)
            try vault.lock()
            try mount(vault, "umask=027")
            #expect(try mode(vault, "key") == 0o644)
            try vault.write("x", to: "third")
            #expect(try mode(vault, "third") == 0o640)
            try vault.lock()
        }
    }

    /// As an ordinary user, whom fusermount3 asks the machine's settings for; they are put in its place for these
    /// processes only.
    @Test(.enabled(if: geteuid() == 0)) func othersAreNamedAsTheReason() throws {
        try OrdinaryUser.with { user, vault in
            try user.script("\"$COFFER\" init --kdf-memory 64 --password-file \"$PASSWORD\"").run(expecting: 0)
            func mount(with text: String) throws -> Command.Result {
                try vault.home.write(text, to: "fuse.conf")
                let script = """
                    chmod 644 "$HOME/fuse.conf"
                    mount --bind "$HOME/fuse.conf" /etc/fuse.conf
                    code=0
                    as_user "$COFFER" mount "$DIR" -o allow_other --password-file "$PASSWORD" || code=$?
                    [ $code != 0 ] || as_user "$COFFER" lock
                    exit $code
                    """
                return try user.rootScript(script).run()
            }
            for text in ["", "#user_allow_other\n", "mount_max = 3\n", "user_allow_others\n"] {
                let refused = try mount(with: text)
                #expect(refused.code == 10, "\(refused.errorText)")
                #expect(refused.errorText.contains("the line `user_allow_other` is not in /etc/fuse.conf"))
            }
            let mounted = try mount(with: "# others\n  user_allow_other\n")
            #expect(mounted.code == 0, "\(mounted.errorText)")
        }
    }
}
