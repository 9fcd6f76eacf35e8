import Foundation
import TestSupport
import Testing

/// A vault where no file can be made beside it, which SQLite's log needs: it is read as it stands, and nothing more.
@Suite(.enabled(if: geteuid() == 0, "mounting a tmpfs needs root")) struct UnwritableFolderTests {
    /// A new vault, alone on a file system of its own. The home is on another one.
    private func withVault(_ body: (TestVault, _ folder: String) throws -> Void) throws {
        try TestVault.with(initialized: false) { vault in
            let folder = try vault.home.directory(".local/share/coffer")
            // With less than 64 MiB free there is no journal.
            try Command("mount", ["-t", "tmpfs", "-o", "size=256m", "none", folder]).run(expecting: 0)
            try vault.make()
            try body(vault, folder)
        }
    }

    private func makeReadOnly(_ folder: String, _ option: String = "ro") throws {
        let result = try Command("mount", ["-o", "remount,\(option)", folder]).runUnlessBusy()
        #expect(result.code == 0, "\(result.errorText)")
    }

    private func fill(_ vault: TestVault) throws {
        try vault.mount()
        try vault.write("text\n", to: "small")
        try Posix.write([UInt8](repeating: 0x61, count: 3 << 20), to: vault.path("large"))
        try vault.lock()
    }

    @Test func readOnlyFileSystemIsRead() throws {
        try withVault { vault, folder in
            try fill(vault)
            let before = try FileManager.default.contentsOfDirectory(atPath: folder).sorted()
            try makeReadOnly(folder)
            #expect(try vault.opened("ls").run(expecting: 0).text == "large\nsmall\n")
            #expect(try vault.opened("show", "small").run(expecting: 0).text == "text\n")
            try vault.opened("verify").run(expecting: 0)
            try vault.mount("--read-only")
            #expect(try vault.read("small") == "text\n")
            #expect(try Posix.read(vault.path("large")) == [UInt8](repeating: 0x61, count: 3 << 20))
            #expect(try Posix.code { try Posix.write([1], to: vault.path("small")) } == EROFS)
            try vault.opened("verify").run(expecting: 0)
            try vault.lock()
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder).sorted() == before)
        }
    }

    @Test func changesAreRefused() throws {
        try withVault { vault, folder in
            try fill(vault)
            try makeReadOnly(folder)
            for arguments in [
                ["mount", vault.directory], ["passwd", "--new-password-file", vault.passwordFile], ["kit", "--text"],
                ["verify", "--accept"],
            ] {
                let result = try vault.coffer(arguments + ["--password-file", vault.passwordFile]).run(expecting: 1)
                #expect(
                    result.text.isEmpty && result.errorText.contains("folder of the vault \(vault.file) cannot be"),
                    "\(arguments): \(result.errorText)")
            }
            try makeReadOnly(folder, "rw")
            try fill(vault)
            try vault.opened("verify").run(expecting: 0)
        }
    }

    /// The counter of this machine is looked at there, too.
    @Test func olderCopyIsFound() throws {
        try withVault { vault, folder in
            try fill(vault)
            let older = vault.home.file("older")
            try Command("cp", [vault.file, older]).run(expecting: 0)
            try vault.mount()
            try vault.write("later\n", to: "small")
            try vault.lock()
            // Not by this process: one that another test starts would have it open for writing, too.
            try Command("cp", [older, vault.file]).run(expecting: 0)
            try makeReadOnly(folder)
            #expect(try vault.opened("ls").run(expecting: 26).errorText.contains("older copy"))
            try vault.mount("--read-only")
            #expect(try vault.read("small") == "text\n")
            try vault.lock()
        }
    }

    /// What a killed process had acknowledged is in its journal or in SQLite's log: without these the vault would be read
    /// as it was before.
    @Test(arguments: ["-redo", "-wal"]) func acknowledgedChangesAreNotPassedOver(_ suffix: String) throws {
        try withVault { vault, folder in
            let daemon = try vault.serve()
            // What is long goes past the journal, after all that is in it.
            let text = String(repeating: "acknowledged ", count: suffix == "-wal" ? 30_000 : 1)
            try vault.write(text, to: "entry")
            daemon.send(SIGKILL)
            _ = try? daemon.wait()
            Mount.clear(below: vault.directory)
            // The log is there, and empty: a file without it would not be whole.
            if suffix == "-redo" { try Posix.write([], to: vault.file + "-wal") }
            try makeReadOnly(folder)
            for arguments in [["ls"], ["mount", "--read-only", vault.directory]] {
                let result = try vault.coffer(arguments + ["--password-file", vault.passwordFile]).run(expecting: 1)
                #expect(result.text.isEmpty && result.errorText.contains("Copy it"), "\(result.errorText)")
            }
            let copy = vault.home.file("copy")
            try Command("cp", ["-r", folder, copy]).run(expecting: 0)
            let shown = try vault.opened("show", "entry", "--vault", "\(copy)/vault.coffer").run(expecting: 0)
            #expect(shown.text == text)
        }
    }

    /// The folder belongs to somebody else.
    @Test func folderWithoutPermissionIsRead() throws {
        let parent = try Program.copyForOtherUsers()
        defer { try? FileManager.default.removeItem(atPath: parent) }
        let program = "\(parent)/coffer"
        try TestVault.with(in: parent, trueCost: true) { vault in
            try fill(vault)
            try vault.release()
            let folder = vault.home.file(".local/share/coffer")
            try Command("chown", ["-R", "65534:65534", vault.home.path]).run(expecting: 0)
            try Command("chown", ["0:0", folder]).run(expecting: 0)
            try Command("chmod", ["755", folder]).run(expecting: 0)
            func run(_ arguments: [String], expecting code: Int32) throws -> Command.Result {
                let words = ["--reuid", "65534", "--regid", "65534", "--clear-groups", "--", program]
                return try vault.home.command(
                    "setpriv", words + arguments + ["--password-file", vault.passwordFile]
                ).run(expecting: code)
            }
            #expect(try run(["show", "small"], expecting: 0).text == "text\n")
            let refusal = try run(["passwd", "--new-password-file", vault.passwordFile], expecting: 1)
            #expect(refusal.errorText.contains("cannot be written"), "\(refusal.errorText)")
            try Command("chown", ["-R", "0:0", vault.home.path]).run(expecting: 0)
        }
    }
}
