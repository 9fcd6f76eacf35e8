import Foundation
import TestSupport
import Testing

/// The folder below a mount, to which nobody writes: neither while the vault is mounted nor when it is locked.
@Suite struct FolderTests {
    private static let attribute = "user.coffer.mode"

    private func mode(_ path: String) throws -> UInt32 { try Posix.status(path).st_mode & 0o7777 }

    private func writes(_ path: String) throws -> Bool { try Posix.code { try Posix.write([1], to: path) } == 0 }

    @Test(arguments: [0o755, 0o700, 0o1775, 0o555] as [mode_t]) func nobodyWrites(_ before: mode_t) throws {
        try TestVault.with { vault in
            try Posix.check(unsafe chmod(vault.directory, before), "chmod")
            for _ in 0..<2 {
                try vault.mount()
                try vault.write("text", to: "entry")
                try vault.lock()
                #expect(try mode(vault.directory) == before & 0o7555)
                #expect(try !writes(vault.path("entry")))
                #expect(unsafe mkdir(vault.path("folder"), 0o755) != 0)
                let kept = try #require(try LateCalls.attribute(vault.directory, Self.attribute))
                #expect(String(decoding: kept, as: UTF8.self) == String(format: "%04o", before))
            }
            #expect(try Posix.names(vault.directory).isEmpty)
            try vault.release()
            #expect(try mode(vault.directory) == before)
            #expect(try LateCalls.attributeNames(vault.directory) == [])
            #expect(try Posix.isImmutable(vault.directory) != true)
            if before & 0o200 != 0 { #expect(try writes(vault.path("mine"))) }
            let again = try vault.coffer(["mount", "--release", vault.directory]).run(expecting: 0)
            #expect(again.errorText.contains("Nothing was taken"))
        }
    }

    /// What the owner has decided since the last mount is what is given back.
    @Test func laterModeIsGivenBack() throws {
        try TestVault.with { vault in
            try vault.mount()
            try vault.lock()
            try vault.release()
            try Posix.check(unsafe chmod(vault.directory, 0o2770), "chmod")
            try vault.mount()
            let refusal = try vault.coffer(["mount", "--release", vault.directory]).run(expecting: 10)
            #expect(refusal.errorText.contains("mounted on"))
            try vault.lock()
            try vault.release()
            #expect(try mode(vault.directory) == 0o2770)
        }
    }

    /// A killed process leaves the folder as a locked vault does, and so does whoever takes the mount away.
    @Test func killedProcess() throws {
        try TestVault.with { vault in
            let process = try vault.serve()
            process.send(SIGKILL)
            try process.wait()
            let refusal = try vault.coffer(["mount", "--release", vault.directory]).run(expecting: 10)
            #expect(refusal.errorText.contains("coffer lock"))
            Mount.clear(below: vault.directory)
            #expect(try !writes(vault.path("entry")))
            try vault.mount()
            try vault.lock()
            #expect(try !writes(vault.path("entry")))
            try vault.release()
            #expect(try mode(vault.directory) == 0o755)
        }
    }

    /// The folder that a link leads to is the mount point, the link stays.
    @Test func throughALink() throws {
        try TestVault.with { vault in
            let link = vault.home.file("link")
            try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: vault.directory)
            try vault.opened("mount", link).run(expecting: 0)
            try vault.coffer(["lock", link]).run(expecting: 0)
            #expect(try !writes(vault.path("entry")))
            #expect(try Posix.status(link).st_mode & S_IFMT == S_IFLNK)
            try vault.coffer(["mount", "--release", link]).run(expecting: 0)
            #expect(try mode(vault.directory) == 0o755)
        }
    }

    /// Two vaults have one mount point: one at a time, however they come.
    @Test func sharedByTwoVaults() throws {
        try TestVault.with { vault in
            let other = vault.home.file("other vault")
            try vault.make("--vault", other)
            func lock() throws { try vault.coffer(["lock", vault.directory]).run(expecting: 0) }
            for file in [vault.file, other, vault.file] {
                try vault.opened("mount", vault.directory, "--vault", file).run(expecting: 0)
                try vault.write(file, to: "entry")
                try vault.opened("mount", vault.directory, "--vault", other).run(expecting: 10)
                try lock()
                #expect(try !writes(vault.path("entry")))
            }
            for _ in 0..<3 {
                let both = try [vault.file, other].map { file in
                    try vault.opened("mount", vault.directory, "--vault", file).start()
                }
                #expect(try both.map { try $0.wait() }.sorted() == [0, 10])
                #expect(try Mount.below(vault.directory).count == 1)
                #expect(try Posix.names(vault.directory) == ["entry"])
                try lock()
            }
            #expect(try Posix.names(vault.directory).isEmpty)
            try vault.release()
            #expect(try mode(vault.directory) == 0o755)
        }
    }

    /// Where there are no attributes, the state folder keeps the mode; where there is no flag, root is told.
    @Test(.enabled(if: geteuid() == 0, "mounting needs root"), arguments: ["tmpfs", "ramfs"])
    func otherFileSystem(_ type: String) throws {
        try TestVault.with { vault in
            try Command("mount", ["-t", type, "none", vault.directory]).run(expecting: 0)
            let folder = vault.path("folder")
            try Posix.check(unsafe mkdir(folder, 0o750), "mkdir")
            let hasFlags = try Posix.isImmutable(folder) != nil
            #expect(hasFlags || type == "ramfs")
            let states = vault.home.file(".local/state/coffer/folders")
            for _ in 0..<2 {
                try vault.opened("mount", folder).run(expecting: 0)
                let status = try vault.coffer(["status"]).run(expecting: 0).text
                #expect(status.contains("Folder:   Root can write") == !hasFlags, "\(status)")
                try vault.lock()
                #expect(try mode(folder) == 0o550)
                #expect(try writes("\(folder)/x") == !hasFlags)
                _ = unsafe unlink("\(folder)/x")
            }
            let isKept = ((try? Posix.names(states)) ?? []).count == 1
            #expect(try isKept == (LateCalls.attribute(folder, Self.attribute) == nil))
            try vault.coffer(["mount", "--release", folder]).run(expecting: 0)
            #expect(try mode(folder) == 0o750)
            #expect(((try? Posix.names(states)) ?? []).isEmpty)
        }
    }

    /// A folder that cannot be written anyway is left alone.
    @Test(.enabled(if: geteuid() == 0, "mounting needs root")) func readOnlyFileSystem() throws {
        try TestVault.with { vault in
            try Command("mount", ["-t", "tmpfs", "none", vault.directory]).run(expecting: 0)
            try Command("mount", ["-o", "remount,ro", vault.directory]).run(expecting: 0)
            try vault.mount()
            try vault.write("text", to: "entry")
            try vault.lock()
            #expect(try Posix.code { try vault.write("text", to: "entry") } == EROFS)
            let release = try vault.coffer(["mount", "--release", vault.directory]).run(expecting: 0)
            #expect(release.errorText.contains("Nothing was taken"))
        }
    }

    /// A mount that fails leaves the folder as it was before.
    @Test(.enabled(if: geteuid() == 0, "a name space of mounts needs root")) func refusedMount() throws {
        try TestVault.with { vault in
            func refuse() throws {
                let script = "\(Mount.leaveOthers)\nmount --bind /dev/null /dev/fuse && exec \"$@\""
                let mount = try vault.opened("mount", vault.directory)
                let words = ["--mount", "sh", "-c", script, "sh", mount.program] + mount.arguments
                try vault.home.command("unshare", words).run(expecting: 10)
            }
            try refuse()
            #expect(try mode(vault.directory) == 0o755)
            #expect(try LateCalls.attributeNames(vault.directory) == [])
            #expect(try writes(vault.path("mine")))
            try FileManager.default.removeItem(atPath: vault.path("mine"))
            try vault.mount()
            try vault.lock()
            try refuse()
            #expect(try !writes(vault.path("entry")))
            try vault.release()
            #expect(try mode(vault.directory) == 0o755)
        }
    }

    /// A folder of another user's that root mounts on: neither may write then, and only root gives it back.
    @Test(.enabled(if: geteuid() == 0)) func foreignFolderOfRoots() throws {
        try OrdinaryUser.with { user, vault in
            try user.own(vault.directory)
            try vault.make()
            try vault.mount()
            try vault.lock()
            #expect(try !writes(vault.path("entry")))
            try user.script("! echo x > \"$DIR/entry\" && ! chmod u+w \"$DIR\"").run(expecting: 0)
            try user.own(vault.home.path)
            for words in ["mount --password-file \"$PASSWORD\"", "mount --release"] {
                let refusal = try user.script("\"$COFFER\" \(words) \"$DIR\"").run(expecting: 10)
                #expect(refusal.errorText.contains("--release"), "\(refusal.errorText)")
            }
            try vault.release()
            let status = try Posix.status(vault.directory)
            #expect(Int(status.st_uid) == OrdinaryUser.number && status.st_mode & 0o7777 == 0o755)
        }
    }

    /// All of it without rights, through fusermount3, which asks for the right to write.
    @Test(.enabled(if: geteuid() == 0)) func ordinaryUser() throws {
        try OrdinaryUser.with { user, vault in
            try user.script(
                """
                "$COFFER" init --kdf-memory 64 --password-file "$PASSWORD"
                chmod 770 "$DIR"
                for round in 1 2; do
                    "$COFFER" mount "$DIR" --password-file "$PASSWORD"
                    echo text > "$DIR/entry"
                    "$COFFER" lock
                    test "$(stat -c %a "$DIR")" = 550
                    ! echo text > "$DIR/entry"
                done
                "$COFFER" mount "$DIR" --password-file "$PASSWORD" --foreground &
                until mountpoint -q "$DIR" && cat "$DIR/entry"; do :; done
                kill -9 $!
                ! wait $!
                ! echo text > "$DIR/entry"
                fusermount3 -u -z "$DIR"
                ! echo text > "$DIR/entry"
                "$COFFER" mount "$DIR" --password-file "$PASSWORD"
                test "$("$COFFER" status | grep -c Folder:)" = 0
                "$COFFER" lock
                test -z "$(ls -A "$DIR")"
                ! echo text > "$DIR/entry"
                "$COFFER" mount --release "$DIR"
                test "$(stat -c %a "$DIR")" = 770
                "$COFFER" mount "$DIR" --password-file "$PASSWORD"
                "$COFFER" lock
                rmdir "$DIR"
                """
            ).run(expecting: 0)
        }
    }

    /// For fusermount3 the folder is writable for a moment: what a program puts there is told, and can be adopted.
    @Test(.enabled(if: geteuid() == 0)) func whatAppearsWhileMounting() throws {
        try OrdinaryUser.with { user, vault in
            let result = try user.script(
                """
                "$COFFER" init --kdf-memory 64 --password-file "$PASSWORD"
                "$COFFER" mount "$DIR" --password-file "$PASSWORD"
                test "$("$COFFER" status | grep 'Folder: ')" = "$("$COFFER" status | grep appeared)"
                test -z "$(ls -A "$DIR")"
                "$COFFER" lock
                grep secret "$DIR/appeared"
                ! "$COFFER" mount "$DIR" --password-file "$PASSWORD"
                "$COFFER" mount --adopt "$DIR" --password-file "$PASSWORD"
                grep secret "$DIR"/adopted*/appeared
                "$COFFER" lock
                test -z "$(ls -A "$DIR")"
                """,
                before: """
                    cp "$(command -v fusermount3)" "$HOME/fusermount3" && chmod 4755 "$HOME/fusermount3"
                    cat > "$HOME/slow" << 'END'
                    #!/bin/sh
                    [ -e "$HOME/once" ] || echo secret > "$DIR/appeared"
                    touch "$HOME/once"
                    exec "$HOME/fusermount3" "$@"
                    END
                    chmod 755 "$HOME/slow"
                    mount --bind "$HOME/slow" "$(command -v fusermount3)"
                    """
            ).run(expecting: 0)
            #expect(result.errorText.contains("Below the mount there is plaintext: appeared"), "\(result.errorText)")
            #expect(result.errorText.contains("coffer mount --adopt"), "\(result.errorText)")
        }
    }
}
