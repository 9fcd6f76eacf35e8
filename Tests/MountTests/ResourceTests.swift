import Foundation
import TestSupport
import Testing

/// Large files, many entries, full disks, and ordinary users.
@Suite(.serialized) struct ResourceTests {
    @Test func manyEntriesInOneDirectory() throws {
        try TestVault.with { vault in
            let count = Program.long ? 100_000 : 20_000
            try vault.mount()
            for index in 0..<count { try Posix.write([], to: vault.path("entry \(index)")) }
            #expect(try Set(Posix.names(vault.directory)).count == count)
            try vault.lock()
            try vault.mount()
            #expect(try Set(Posix.names(vault.directory)).count == count)
            for index in 0..<count where index % 7 == 0 { _ = try Posix.status(vault.path("entry \(index)")) }
            #expect(try Posix.code { _ = try Posix.status(vault.path("entry \(count)")) } == ENOENT)
            for index in 0..<count { try Posix.check(unsafe unlink(vault.path("entry \(index)")), "unlink") }
            #expect(try Posix.names(vault.directory).isEmpty)
            try vault.lock()
            try vault.opened("verify").run(expecting: 0)
        }
    }

    /// Streamed in and out; the daemon needs at most 64 MiB more than it began with.
    @Test(arguments: [[], ["--no-cache"]]) func largeFileInBoundedMemory(_ options: [String]) throws {
        try TestVault.with { vault in
            try vault.coffer(["mount", vault.directory, "--password-file", vault.passwordFile] + options).run(
                expecting: 0)
            let daemon = try vault.daemon()
            // Deriving the key took 64 MiB, so the mark is set back (proc(5), clear_refs).
            try Data("5".utf8).write(to: URL(filePath: "/proc/\(daemon.identifier)/clear_refs"))
            let base = try RunningProcess.memory("VmRSS", of: daemon.identifier)
            let size = 256 << 20
            let file = try Posix.File(vault.path("large"), O_WRONLY | O_CREAT)
            for block in 0..<256 { try file.write(Self.block(block)) }
            try file.close()
            let reading = try Posix.File(vault.path("large"), O_RDONLY)
            #expect(try reading.status().st_size == size)
            posix_fadvise(reading.number, 0, 0, POSIX_FADV_DONTNEED)
            for block in 0..<256 { #expect(try reading.read(1 << 20, at: block << 20) == Self.block(block)) }
            let peak = try RunningProcess.memory("VmHWM", of: daemon.identifier)
            #expect(peak - base <= 64 << 10, "\(peak - base) KiB above the base of \(base) KiB")
            try reading.close()
            try vault.lock()
            try vault.mount()
            let again = try Posix.File(vault.path("large"), O_RDONLY)
            for block in [0, 1, 100, 255] { #expect(try again.read(1 << 20, at: block << 20) == Self.block(block)) }
            try again.close()
            try vault.lock()
        }
    }

    private static func block(_ number: Int) -> [UInt8] {
        var bytes = [UInt8](repeating: UInt8(truncatingIfNeeded: number), count: 1 << 20)
        bytes.replaceSubrange(0..<8, with: (0..<8).map { UInt8(truncatingIfNeeded: number >> ($0 * 8)) })
        return bytes
    }

    /// The disk under the vault is full: the writer hears of it, nothing saved is lost, and freeing helps.
    @Test(.enabled(if: geteuid() == 0)) func fullDisk() throws {
        let parent = "/tmp/coffer-full-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: parent, withIntermediateDirectories: false)
        defer {
            Mount.clear(below: parent)
            try? FileManager.default.removeItem(atPath: parent)
        }
        try Command("mount", ["-t", "tmpfs", "-o", "size=12m", "tmpfs", parent]).run(expecting: 0)
        try TestVault.with(in: parent) { vault in
            try vault.mount()
            for index in 0..<10 { try vault.write("saved \(index)", to: "saved \(index)") }
            let ballast = vault.home.file("ballast")
            let filler = try Posix.File(ballast, O_WRONLY | O_CREAT)
            let block = [UInt8](repeating: 1, count: 1 << 16)
            while try Posix.code({ try filler.write(block) }) == 0 {}
            var codes: Set<Int32> = []
            for index in 0..<40 {
                codes.insert(try Posix.code { try Posix.write(block, to: vault.path("new \(index)")) })
                codes.insert(try Posix.code { try Posix.write(block, to: vault.path("saved 0")) })
            }
            #expect(codes.contains(ENOSPC))
            #expect(codes.subtracting([0, ENOSPC]).isEmpty, "\(codes)")
            for index in 1..<10 { #expect(try vault.read("saved \(index)") == "saved \(index)") }
            try filler.close()
            try FileManager.default.removeItem(atPath: ballast)
            try vault.write("after", to: "saved 1")
            try vault.lock()
            try vault.mount()
            #expect(try vault.read("saved 1") == "after")
            for index in 2..<10 { #expect(try vault.read("saved \(index)") == "saved \(index)") }
            try vault.lock()
            try vault.opened("verify").run(expecting: 0)
        }
    }

    /// A user without rights does it all through fusermount3; another one, root even, sees nothing of it. In a
    /// mount name space of its own, where /dev/fuse is open to everybody, as udev makes it, on any machine.
    @Test(.enabled(if: geteuid() == 0)) func ordinaryUser() throws {
        let parent = try Program.copyForOtherUsers()
        defer { try? FileManager.default.removeItem(atPath: parent) }
        let program = "\(parent)/coffer"
        try TestVault.with(in: parent, initialized: false, trueCost: true) { vault in
            try Command("chown", ["-R", "65534:65534", vault.home.path]).run(expecting: 0)
            let script = """
                set -eux
                \(Mount.leaveOthers)
                as() { setpriv --reuid 65534 --regid 65534 --clear-groups -- "$@"; }
                if ! as test -w /dev/fuse; then
                    mknod "$HOME/fuse" c 10 229
                    chmod 666 "$HOME/fuse"
                    mount --bind "$HOME/fuse" /dev/fuse
                fi
                as "$1" init --kdf-memory 64 --password-file "$2"
                as "$1" mount "$3" --password-file "$2"
                grep 'noatime.* - fuse.coffer' /proc/self/mountinfo
                as sh -c 'echo text > "$1/entry"' sh "$3"
                test "$(as cat "$3/entry")" = text
                if cat "$3/entry"; then exit 90; fi
                test "$(as "$1" show entry)" = text
                test -z "$(as sh -c '"$1" lock 2>&1' sh "$1")"
                if mountpoint -q "$3"; then exit 91; fi
                as "$1" mount "$3" --password-file "$2"
                as fusermount3 -u "$3"
                until as "$1" status | grep 'State:    locked'; do :; done
                test "$(as "$1" show entry --password-file "$2")" = text
                as "$1" mount "$3" --password-file "$2"
                for process in /proc/[0-9]*; do
                    if [ "$(readlink "$process/exe")" = "$1" ]; then kill -9 "${process#/proc/}"; fi
                done
                as "$1" mount "$3" --password-file "$2"
                test "$(as cat "$3/entry")" = text
                as "$1" lock
                """
            let words = ["--mount", "bash", "-c", script, "sh", program, vault.passwordFile, vault.directory]
            try vault.home.command("unshare", words).run(expecting: 0)
            try Command("chown", ["-R", "0:0", vault.home.path]).run(expecting: 0)
        }
    }

    /// Mounted by root for everybody: ownership and access rules are those of any file system.
    @Test(.enabled(if: geteuid() == 0)) func everybody() throws {
        let parent = "/tmp/coffer-all-\(UUID().uuidString)"
        try FileManager.default.createDirectory(
            atPath: parent, withIntermediateDirectories: false, attributes: [.posixPermissions: 0o755])
        defer { try? FileManager.default.removeItem(atPath: parent) }
        try TestVault.with(in: parent) { vault in
            try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: vault.home.path)
            try vault.mount("-o", "allow_other")
            try Posix.check(unsafe chmod(vault.directory, 0o755), "chmod")
            try vault.write("mine", to: "mine")
            try Posix.check(unsafe chmod(vault.path("mine"), 0o600), "chmod")
            try Posix.check(unsafe mkdir(vault.path("open"), 0o777), "mkdir")
            try Posix.check(unsafe chmod(vault.path("open"), 0o1777), "chmod")
            func asUser(_ script: String, code: Int32) throws {
                let words = ["--reuid", "65534", "--regid", "65534", "--clear-groups", "sh", "-c", script]
                var command = vault.home.command("setpriv", words)
                command.directory = vault.directory
                try command.run(expecting: code)
            }
            try asUser("echo theirs > open/theirs && cat open/theirs", code: 0)
            try asUser("! cat mine && ! echo x > new && ! rm -f mine && ! chown 0 open/theirs", code: 0)
            try vault.write("mine", to: "open/mine")
            try asUser("! rm -f open/mine && ! mv open/mine open/b && mv open/theirs open/c", code: 0)
            try asUser("! ls .coffer && ! cat .coffer/status", code: 0)
            #expect(try Posix.status(vault.path("open/c")).st_uid == 65534)
            try vault.lock()
            try vault.mount("-o", "allow_other")
            #expect(try Posix.status(vault.path("open/c")).st_uid == 65534)
            #expect(try Posix.status(vault.path("mine")).st_uid == 0)
            try vault.lock()
        }
    }
}
