import Foundation
import TestSupport
import Testing

/// `mount --adopt`: what lies in plaintext in the folder goes into the vault. Nothing is lost, and nothing is followed.
@Suite struct AdoptTests {
    /// The folder that what was adopted is in now.
    private func adopted(_ vault: TestVault) throws -> String {
        let names = try Posix.names(vault.directory).filter { $0.hasPrefix("adopted ") }
        return try vault.path(#require(names.count == 1 ? names.first : nil))
    }

    private func mount(_ vault: TestVault, expecting code: Int32 = 0) throws -> String {
        try vault.opened("mount", "--adopt", vault.directory).run(expecting: code).errorText
    }

    /// Every kind of file, with all that belongs to it, and names of every kind.
    private func fill(_ vault: TestVault) throws {
        let script = #"""
            set -eu
            echo outside > outside && mkdir elsewhere && echo outside > elsewhere/file
            cd "mount point"
            echo text > file && chmod 640 file && setfattr -n user.note -v remark file
            head -c 3000000 /dev/zero | tr '\0' x > large && chmod 400 large
            mkdir -p folder/deeper/still "folder/empty folder" && echo deep > folder/deeper/still/file
            setfattr -n user.note -v remark folder && chmod 750 folder && chmod 1700 folder/deeper
            ln -s "$HOME/outside" link && ln -s "$HOME/elsewhere" "link to folder" && ln -s nowhere dangling
            ln -s ../../elsewhere folder/link && mkfifo -m 600 pipe
            echo swap > .file.swp && echo backup > file~ && echo hidden > .coffer && mkdir .Trash-0 && echo trash > .Trash-0/x
            echo raw > "$(printf 'bad\377')" && echo lines > "$(printf 'a\nb')" && touch empty -- -dash
            ln folder/deeper/still/file "folder/second name" && ln file "third name"
            touch -h -d '2001-02-03 04:05:06.789' file link folder/deeper/still/file pipe folder/deeper
            """#
        try vault.home.command("bash", ["-c", script]).run(expecting: 0)
    }

    /// What there is in a folder, with modes, times of files, sizes, targets and contents.
    private func description(_ folder: String, _ vault: TestVault) throws -> String {
        let script = #"""
            cd "$1"
            find . -mindepth 1 -printf '%P %y %m %U %G %T@ %l\n' | sort | sed 's/\.swp\.adopted/.swp/'
            find . ! -type d -printf '%P %s\n' | sort | sed 's/\.swp\.adopted/.swp/'
            find . -type f -print0 | sort -z | xargs -0 cat | sha256sum
            for name in file folder; do getfattr -n user.note --only-values "$name"; done
            """#
        let result = try vault.home.command("bash", ["-c", script, "bash", folder]).run(expecting: 0)
        return result.text
    }

    @Test func everythingIsMoved() throws {
        try TestVault.with { vault in
            try fill(vault)
            let before = try description(vault.directory, vault)
            #expect(try mount(vault).contains("Moved into the vault: "))
            #expect(try Posix.names(vault.directory).count == 1)
            #expect(try description(adopted(vault), vault) == before)
            #expect(try Posix.status(adopted(vault)).st_mode & 0o777 == 0o700)
            #expect(try vault.home.command("cat", ["outside", "elsewhere/file"]).run().text == "outside\noutside\n")
            try vault.lock()
            #expect(try Posix.names(vault.directory).isEmpty)
            #expect(try Posix.code { try vault.write("text", to: "entry") } != 0)
            // What an editor recovers from is not gone with the lock, as swap files are.
            try vault.mount()
            #expect(try description(adopted(vault), vault) == before)
            try vault.lock()
            try vault.opened("verify").run(expecting: 0)
            // Nothing is there to be adopted any more.
            #expect(try mount(vault).isEmpty)
            #expect(try Posix.names(vault.directory).count == 1)
            try vault.lock()
        }
    }

    /// A folder of that name is in the vault already, for every second of the next minutes.
    @Test func nameExists() throws {
        try TestVault.with { vault in
            try vault.mount()
            let script = #"""
                seconds=$(date +%s)
                cd "$1" && seq $seconds $((seconds + 900)) | sed 's/^/@/' | date -f - '+adopted %F %H.%M.%S' | xargs -d '\n' mkdir
                """#
            try vault.home.command("bash", ["-c", script, "bash", vault.directory]).run(expecting: 0)
            let count = try Posix.names(vault.directory).count
            try vault.lock()
            try vault.release()
            try vault.write("text", to: "mine")
            _ = try mount(vault)
            let names = try Posix.names(vault.directory)
            let new = try #require(names.first { $0.hasSuffix(" (2)") })
            #expect(names.count == count + 1)
            #expect(try vault.read("\(new)/mine") == "text")
            try vault.lock()
        }
    }

    /// What cannot be taken stays, and is named; the vault is mounted all the same.
    @Test(.enabled(if: geteuid() == 0, "devices and mounts need root")) func whatCannotBeTaken() throws {
        try TestVault.with { vault in
            let script = #"""
                set -eu
                mkdir elsewhere && echo outside > elsewhere/file
                cd "mount point"
                mknod null c 1 3 && mkdir folder && mknod folder/disk b 7 200
                mkdir mounted folder/bound && mount -t tmpfs none mounted && echo there > mounted/file
                mount --bind ../elsewhere folder/bound
                echo text > file && echo text > folder/file && echo open > open && echo open > folder/open
                python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind("socket")'
                """#
            try vault.home.command("bash", ["-c", script]).run(expecting: 0)
            let open = try ["open", "folder/open"].map { try Posix.File(vault.path($0), O_WRONLY | O_APPEND) }
            let text = try mount(vault, expecting: 27)
            let reasons = [
                "null: it is a device", "folder/disk: it is a device", "socket: it is a socket",
                "mounted: another file system", "folder/bound: another file system", "open: a program has it open",
                "folder/open: a program has it open",
            ]
            for reason in reasons { #expect(text.contains("in plaintext: \(reason)"), "\(reason): \(text)") }
            #expect(try vault.coffer(["status"]).run(expecting: 0).text.contains("Folder:   Below the mount"))
            #expect(try Posix.names(adopted(vault)).sorted() == ["file", "folder"])
            #expect(try Posix.names(adopted(vault) + "/folder") == ["file"])
            for file in open { try file.write(Array("more".utf8)) }
            try vault.lock()
            #expect(try Posix.names(vault.directory).sorted() == ["folder", "mounted", "null", "open", "socket"])
            #expect(try Posix.names(vault.path("folder")).sorted() == ["bound", "disk", "open"])
            for name in ["open", "folder/open"] { #expect(try vault.read(name) == "open\nmore") }
            #expect(try vault.read("mounted/file") == "there\n")
            #expect(try vault.home.command("cat", ["elsewhere/file"]).run().text == "outside\n")
            let refusal = try vault.opened("mount", vault.directory).run(expecting: 10).errorText
            #expect(refusal.contains("folder, mounted, null, open, socket.") && refusal.contains("--release"))
        }
    }

    /// Root reads everything; others do not. What is not read is not removed, and what is not removed is told.
    @Test(.enabled(if: geteuid() == 0)) func unreadable() throws {
        try OrdinaryUser.with { user, vault in
            let result = try user.script(
                """
                "$COFFER" init --kdf-memory 64 --password-file "$PASSWORD"
                cd "$DIR" && mkdir open closed fixed && echo text > open/file && echo text > closed/file
                echo text > fixed/file && echo text > secret && echo text > plain
                chmod 0 secret closed && chmod 500 fixed && cd /
                "$COFFER" mount --adopt "$DIR" --password-file "$PASSWORD" || test $? = 27
                test "$(cat "$DIR"/adopted*/plain "$DIR"/adopted*/open/file "$DIR"/adopted*/fixed/file | wc -l)" = 3
                "$COFFER" lock
                test "$(ls "$DIR" | tr '\\n' ' ')" = "closed fixed secret "
                ! echo text > "$DIR/new"
                chmod 700 "$DIR/closed" && chmod 600 "$DIR/secret"
                cat "$DIR/closed/file" "$DIR/fixed/file" "$DIR/secret"
                """
            ).run(expecting: 0)
            for reason in [
                "secret: Permission denied", "closed: Permission denied",
                "fixed/file: it is in the vault now, but cannot be removed here: Permission denied",
            ] { #expect(result.errorText.contains("in plaintext: \(reason)"), "\(reason): \(result.errorText)") }
            #expect(result.text.hasSuffix("text\ntext\ntext\n"))
        }
    }

    /// Before the vault is open, nothing is touched.
    @Test func refusals() throws {
        try TestVault.with { vault in
            try vault.write("text", to: "mine")
            try vault.coffer(["mount", "--adopt", vault.directory], input: "wrong\n").run(expecting: 12)
            for option in ["--read-only", "-oro"] {
                try vault.opened("mount", "--adopt", option, vault.directory).run(expecting: 64)
            }
            #expect(try vault.read("mine") == "text")
            #expect(try Posix.names(vault.directory) == ["mine"])
            try vault.write("changed", to: "mine")
        }
    }

    /// Killed in the middle: each file is in the vault, or still below, and whole.
    @Test func killed() throws {
        try TestVault.with { vault in
            let names = (0..<400).map { "file \($0)" }
            let folder = try vault.home.directory("mount point/folder")
            for name in names { try Posix.write(Array("text of \(name)".utf8), to: "\(folder)/\(name)") }
            // Leads below the mount, too.
            let covered = try Posix.File(folder, O_RDONLY | O_DIRECTORY)
            let below = "/proc/self/fd/\(covered.number)"
            var adoption = try vault.opened("mount", "--adopt", "--foreground", vault.directory)
            adoption.environment?.merge(try Program.preloading("libFaultInjector.so")) { $1 }
            adoption.environment?["COFFER_KILL_AT_REMOVAL"] = "file 200"
            try adoption.run(expecting: 128 + SIGKILL)
            Mount.clear(below: vault.directory)
            // A killed process leaves it protected.
            #expect(try Posix.code { try vault.write("text", to: "entry") } != 0)
            let left = try Set(Posix.names(below))
            #expect(!left.isEmpty)
            for name in left { #expect(try Posix.read("\(below)/\(name)") == Array("text of \(name)".utf8)) }
            _ = try mount(vault)
            var found: Set<String> = []
            for top in try Posix.names(vault.directory) {
                for name in try Posix.names(vault.path("\(top)/folder")) {
                    #expect(try vault.read("\(top)/folder/\(name)") == "text of \(name)")
                    found.insert(name)
                }
            }
            #expect(found == Set(names))
            try vault.lock()
            #expect(try Posix.names(vault.directory).isEmpty)
        }
    }

    /// On a disk with no room: what does not go in stays below, whole.
    @Test(.enabled(if: geteuid() == 0, "mounting a tmpfs needs root")) func fullDisk() throws {
        try TestVault.with(initialized: false) { vault in
            let disk = try vault.home.directory(".local/share/coffer")
            try Command("mount", ["-t", "tmpfs", "-o", "size=12m", "none", disk]).run(expecting: 0)
            try vault.make()
            let large = [UInt8](repeating: 0x61, count: 30 << 20)
            try Posix.write(large, to: vault.path("large"))
            try vault.write("text", to: "small")
            #expect(try mount(vault, expecting: 27).contains("in plaintext: large: No space left on device"))
            #expect(try Posix.names(adopted(vault)) == ["small"])
            try vault.lock()
            #expect(try Posix.names(vault.directory) == ["large"])
            #expect(try Posix.read(vault.path("large")) == large)
        }
    }
}
