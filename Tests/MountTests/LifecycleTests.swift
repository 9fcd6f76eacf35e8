import Foundation
import TestSupport
import Testing

/// From mount to lock: what is committed, what is gone, what becomes of programs inside.
@Suite struct LifecycleTests {
    @Test(arguments: ["lock", "lock with the folder", "fusermount3", "umount", "SIGTERM", "SIGINT", "SIGHUP"])
    func everyEndCommits(_ way: String) throws {
        try TestVault.with { vault in
            try vault.mount()
            let daemon = try vault.daemon()
            try vault.write("closed before the end", to: "closed")
            let open = try Posix.File(vault.path("open"), O_WRONLY | O_CREAT)
            try open.write(Array("still open at the end".utf8))
            if way != "fusermount3" && way != "umount" {
                try end(vault, daemon, way)
            } else {
                try open.close()
                try end(vault, daemon, way)
            }
            try daemon.waitForEnd()
            #expect(!vault.isMounted)
            #expect(try Posix.names(vault.directory).isEmpty)
            try vault.mount()
            #expect(try vault.read("closed") == "closed before the end")
            #expect(try vault.read("open") == "still open at the end")
            try vault.lock()
        }
    }

    private func end(_ vault: TestVault, _ daemon: RunningProcess, _ way: String) throws {
        switch way {
        case "lock": try vault.lock()
        case "lock with the folder": try vault.coffer(["lock", vault.directory]).run(expecting: 0)
        case "fusermount3": try unmount(vault, "fusermount3", ["-u", vault.directory])
        case "umount": try unmount(vault, "umount", [vault.directory])
        case "SIGTERM": daemon.send(SIGTERM)
        case "SIGINT": daemon.send(SIGINT)
        default: daemon.send(SIGHUP)
        }
    }

    private func unmount(_ vault: TestVault, _ program: String, _ arguments: [String]) throws {
        _ = try vault.home.command(program, arguments).runUnlessBusy()
        #expect(!vault.isMounted)
    }

    /// Neither an entry's text nor its name is in any file of the home, mounted or not.
    @Test func nothingReadableIsLeft() throws {
        try TestVault.with { vault in
            let (name, text) = ("entry-named-ultramarine", "text-that-says-vermilion")
            try vault.mount()
            try FileManager.default.createDirectory(atPath: vault.path(name), withIntermediateDirectories: false)
            let long = String(repeating: text, count: 20_000)
            for index in 0..<20 { try vault.write(index % 2 == 0 ? text : long, to: "\(name)/\(name) \(index)") }
            try vault.write(text, to: "\(name)/\(name) 3")
            try FileManager.default.removeItem(atPath: vault.path("\(name)/\(name) 4"))
            _ = try LateCalls.setAttribute(vault.path(name), "user.\(name)", Array(text.utf8), flags: 0)
            try search(vault, for: [name, text])
            try vault.lock()
            try search(vault, for: [name, text, "violet"])
        }
    }

    private func search(_ vault: TestVault, for words: [String]) throws {
        let found = try #require(FileManager.default.enumerator(atPath: vault.home.path))
        var files = 0
        for case let name as String in found {
            if name == "mount point" {
                found.skipDescendants()
                continue
            }
            guard name != "password", let bytes = FileManager.default.contents(atPath: vault.home.file(name)) else {
                continue
            }
            files += 1
            for word in words {
                #expect(bytes.range(of: Data(word.utf8)) == nil, "\(word) is in \(name)")
                #expect(!name.contains(word))
            }
        }
        #expect(files > 0)
    }

    /// A program with a descriptor, a mapping and its current directory inside the mount.
    @Test func lockWithProgramsInside() throws {
        try TestVault.with { vault in
            try vault.mount()
            let daemon = try vault.daemon()
            let text = String(repeating: "plaintext ", count: 2000)
            try vault.write(text, to: "entry")
            let inside = vault.home.command("tail", ["-f", "/dev/null"])
            var command = inside
            command.directory = vault.directory
            let child = try command.start()
            let file = try Posix.File(vault.path("entry"), O_RDONLY)
            let directory = try Posix.File(vault.directory, O_RDONLY | O_DIRECTORY)
            #expect(try file.read(9, at: 0) == Array("plaintext".utf8))
            guard let pages = unsafe mmap(nil, 4096, PROT_READ, MAP_SHARED, file.number, 0) else { return }
            defer { unsafe _ = munmap(pages, 4096) }
            #expect(unsafe pages.load(as: UInt8.self) == UInt8(ascii: "p"))

            try vault.lock()
            try daemon.waitForEnd()
            #expect(throws: SystemFailure.self) { _ = try file.read(9, at: 0) }
            #expect(throws: SystemFailure.self) { _ = try directory.status() }
            #expect(throws: SystemFailure.self) { try Posix.write([1], to: vault.path("entry/x")) }
            // The mapping is asked through a system call: it answers EFAULT where touching it would be SIGBUS.
            let sink = try Posix.File(vault.home.file("sink"), O_WRONLY | O_CREAT)
            let written = unsafe write(sink.number, pages, 9)
            #expect(written < 0 && errno == EFAULT)
            child.kill()
            try vault.mount()
            #expect(try vault.read("entry") == text)
            try vault.lock()
        }
    }

    /// Without any use for the time given, the vault locks by itself.
    @Test func idle() throws {
        try TestVault.with { vault in
            let daemon = try vault.serve("--idle", "5s")
            try vault.write("text", to: "entry")
            #expect(try daemon.wait() == 0)
            #expect(!vault.isMounted)
            try vault.mount()
            #expect(try vault.read("entry") == "text")
            try vault.lock()
        }
    }

    @Test func readOnly() throws {
        try TestVault.with { vault in
            try vault.mount()
            try vault.write("text", to: "entry")
            try vault.lock()
            let before = FileManager.default.contents(atPath: vault.file)
            for arguments in [["--read-only"], ["-o", "ro"]] {
                let command = ["mount", vault.directory, "--password-file", vault.passwordFile] + arguments
                try vault.coffer(command).run(expecting: 0)
                #expect(try vault.read("entry") == "text")
                #expect(try Posix.code { try vault.write("x", to: "entry") } == EROFS)
                #expect(try Posix.code { try vault.write("x", to: "other") } == EROFS)
                #expect(unsafe unlink(vault.path("entry")) != 0 && errno == EROFS)
                #expect(unsafe mkdir(vault.path("folder"), 0o755) != 0 && errno == EROFS)
                #expect(unsafe rename(vault.path("entry"), vault.path("b")) != 0 && errno == EROFS)
                #expect(unsafe chmod(vault.path("entry"), 0o600) != 0 && errno == EROFS)
                #expect(try LateCalls.setAttribute(vault.path("entry"), "user.a", [1], flags: 0) != 0 && errno == EROFS)
                try vault.lock()
            }
            #expect(FileManager.default.contents(atPath: vault.file) == before)
        }
    }

    /// The folder of control files is there and takes nothing.
    @Test func controlDirectory() throws {
        try TestVault.with { vault in
            try vault.mount()
            let control = vault.path(".coffer")
            #expect(try Posix.names(vault.directory).isEmpty)
            #expect(try Posix.names(control).sorted() == ["backup", "command", "lock", "status", "verify"])
            #expect(try Posix.status(control).st_mode & 0o777 == 0o500)
            #expect(try Posix.code { try Posix.write([1], to: control + "/new") } != 0)
            #expect(unsafe mkdir(control, 0o755) != 0 && errno == EEXIST)
            #expect(unsafe rmdir(control) != 0 && errno == EPERM)
            #expect(unsafe rename(control, vault.path("other")) != 0 && errno == EPERM)
            #expect(unsafe unlink(control + "/status") != 0 && errno == EPERM)
            try vault.write("x", to: "entry")
            #expect(unsafe rename(vault.path("entry"), control) != 0)
            #expect(unsafe link(vault.path("entry"), control + "/status") != 0)
            #expect(try Posix.code { _ = try Posix.status(control + "/none") } == ENOENT)
            let status = try JSONSerialization.jsonObject(with: Data(Posix.read(control + "/status")))
            #expect((status as? [String: Any])?["entries"] as? Int == 1)
            try FileManager.default.createDirectory(atPath: vault.path("a/.coffer"), withIntermediateDirectories: true)
            #expect(try Posix.names(vault.path("a")) == [".coffer"])
            try vault.lock()
        }
    }

    /// What has the control files open may not keep the vault from being locked.
    @Test func lockTwiceAtOnce() throws {
        try TestVault.with { vault in
            try vault.mount()
            let lock = try vault.coffer(["lock"])
            let first = try lock.start()
            let second = try lock.start()
            #expect(try first.wait() == 0)
            #expect(try second.wait() == 0)
            #expect(!vault.isMounted)
        }
    }

    /// `ulimit -f` is an error to whoever writes.
    @Test func largestFileOfTheShell() throws {
        try TestVault.with { vault in
            let mount = try vault.opened("mount", vault.directory)
            let words = ["-c", "ulimit -f 16000; exec \"$@\"", "bash", mount.program] + mount.arguments
            try vault.home.command("bash", words).run(expecting: 0)
            try vault.write("text", to: "entry")
            let code = try Posix.code {
                try Posix.write([UInt8](repeating: 7, count: 48 << 20), to: vault.path("large"))
            }
            #expect(code != 0)
            #expect(try vault.read("entry") == "text")
            // What does not fit is not in the vault, and that is said.
            #expect(try vault.coffer(["lock"]).run(expecting: 27).errorText.contains("Not saved: large\n"))
            try vault.coffer(["lock", "--discard"]).run(expecting: 0)
            try vault.mount()
            #expect(try vault.read("entry") == "text")
            try vault.lock()
            try vault.opened("verify").run(expecting: 0)
        }
    }

    /// All files are closed then: the medium that the vault lies on can be unmounted.
    @Test func processHasEndedWhenLockReturns() throws {
        try TestVault.with { vault in
            for _ in 0..<8 {
                try vault.mount()
                let daemon = try vault.daemon()
                try Posix.write([UInt8](repeating: 0x61, count: 1 << 20), to: vault.path("large"))
                let second = try vault.coffer(["lock"]).start()
                try vault.lock()
                #expect(daemon.hasEnded)
                #expect(try second.wait() == 0)
            }
        }
    }
}
