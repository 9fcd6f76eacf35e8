import Foundation
import TestSupport
import Testing

/// What could not be saved is told: by `lock`, which ends with 27, by `status` and in the log.
@Suite(.enabled(if: geteuid() == 0, "mounting a tmpfs needs root")) struct UnsavedTests {
    /// Too much for anything that is set aside.
    private static let text = [UInt8](repeating: UInt8(ascii: "t"), count: 5 << 20)

    /// A mounted vault with an entry that a full disk had no room for.
    private func withUnsavedEntry(_ body: (TestVault, SmallDisk) throws -> Void) throws {
        try SmallDisk.with(megabytes: 24) { vault, disk in
            try vault.mount()
            try vault.write("saved before", to: "saved")
            let file = try Posix.File(vault.path("an entry"), O_WRONLY | O_CREAT)
            try disk.fill()
            try file.write(Self.text)
            #expect(try Posix.code { try file.close() } == ENOSPC)
            try body(vault, disk)
        }
    }

    @Test func lockNamesWhatIsNotSaved() throws {
        try withUnsavedEntry { vault, disk in
            for words in [["lock"], ["lock", vault.directory]] {
                let refused = try vault.coffer(words).run(expecting: 27)
                #expect(refused.errorText.contains("Not saved: an entry\n"), "\(refused.errorText)")
                #expect(refused.errorText.contains("No space left on device"), "\(refused.errorText)")
                #expect(!refused.errorText.contains("Not saved: saved"), "\(refused.errorText)")
            }
            #expect(vault.isMounted)
            #expect(try Posix.read(vault.path("an entry")) == Self.text)
            let status = try vault.coffer(["status"]).run(expecting: 0)
            #expect(status.text.contains("Unsaved:  an entry (No space left on device)\n"), "\(status.text)")
            try disk.free()
            try vault.lock()
            #expect(!vault.isMounted)
            try vault.mount()
            #expect(try Posix.read(vault.path("an entry")) == Self.text)
            #expect(try vault.read("saved") == "saved before")
            try vault.lock()
            try vault.opened("verify").run(expecting: 0)
        }
    }

    @Test func discardDropsIt() throws {
        try withUnsavedEntry { vault, disk in
            try vault.coffer(["lock"]).run(expecting: 27)
            try vault.coffer(["lock", "--discard"]).run(expecting: 0)
            #expect(!vault.isMounted)
            try disk.free()
            let mount = try vault.opened("mount", vault.directory).run(expecting: 0)
            #expect(!mount.errorText.contains("an entry"), "\(mount.errorText)")
            #expect(try Posix.read(vault.path("an entry")).isEmpty)
            #expect(try vault.read("saved") == "saved before")
            try vault.lock()
        }
    }

    /// A background error is in the log, with no name of an entry, and so is its end.
    @Test func theLogHasIt() throws {
        try withUnsavedEntry { vault, disk in
            let log = vault.home.file(".local/state/coffer/log")
            try waitForFiles(in: vault.home.file(".local/state/coffer"), "a line in the log") {
                FileManager.default.contents(atPath: log).map { !$0.isEmpty } ?? false
            }
            let lines = try vault.coffer(["log"]).run(expecting: 0)
            #expect(
                lines.text.contains("Z  The content of one entry could not be saved: No space left on device.\n"),
                "\(lines.text)")
            #expect(!lines.text.contains("an entry"))
            #expect(try vault.coffer(["log", "--json"]).run(expecting: 0).text.contains("\"message\" : \"The content"))
            let other = try vault.coffer(["log", "--vault", "/no/vault"]).run(expecting: 0)
            #expect(other.text.isEmpty && other.errorText.contains("Nothing has gone wrong"))
            try disk.free()
            try waitForFiles(in: vault.home.file(".local/state/coffer"), "the end of it") {
                try vault.coffer(["log"]).run(expecting: 0).text.hasSuffix("Z  Everything is saved again.\n")
            }
            try vault.lock()
        }
    }

    /// The system's journal has it, too, as from `coffer`. In a name space of its own, whose /dev has our socket.
    @Test func theJournalHasIt() throws {
        try SmallDisk.with(megabytes: 24) { vault, _ in
            let socket = try DatagramSocket(path: vault.home.file("run/log"))
            try Posix.check(unsafe mkfifo(vault.home.file("end"), 0o600), "mkfifo")
            let script = """
                set -eux
                \(Mount.leaveOthers)
                mkdir "$HOME/dev"
                mount --rbind /dev "$HOME/dev"
                mount -t tmpfs none /dev
                for name in null zero random urandom fuse; do
                    touch "/dev/$name"
                    mount --bind "$HOME/dev/$name" "/dev/$name"
                done
                ln -s "$HOME/run/log" /dev/log
                "$@"
                head -c 30000000 /dev/zero > "$HOME/mount point/an entry" || true
                read -r line < "$HOME/end" || true
                "$1" lock --discard
                """
            let words = ["--mount", "--propagation", "private", "sh", "-c", script, "sh"]
            let mount = ["mount", vault.directory, "--password-file", vault.passwordFile]
            let child = try vault.home.command("unshare", words + [try Program.coffer()] + mount).start()
            let line = try socket.receive(timeout: .patience)
            #expect(
                line.contains(" coffer[") && line.contains("The content of one entry could not be saved"), "\(line)")
            #expect(!line.contains("an entry"), "\(line)")
            try Posix.File(vault.home.file("end"), O_WRONLY).close()
            #expect(try child.wait() == 0)
        }
    }
}
