import Foundation
import TestSupport
import Testing

/// A file of the vault is replaced, moved or deleted while it is mounted: whoever writes is told, and nobody hears "locked".
@Suite struct StrayedFileTests {
    /// A mounted vault with something in each of its files.
    private func withMount(_ body: (TestVault) throws -> Void) throws {
        try TestVault.with { vault in
            try vault.mount()
            try vault.write("before\n", to: "before")
            try Posix.write([UInt8](repeating: 0x61, count: 1 << 20), to: vault.path("large"))
            try Posix.File(vault.directory, O_RDONLY | O_DIRECTORY).synchronize()
            try body(vault)
        }
    }

    private func saveDurably(_ vault: TestVault, _ name: String) throws {
        let file = try Posix.File(vault.path(name), O_WRONLY | O_CREAT)
        try file.write(Array("x\n".utf8))
        try file.synchronize()
        try file.close()
    }

    private func replace(_ path: String) throws {
        try FileManager.default.copyItem(atPath: path, toPath: "\(path).v2")
        try Posix.check(unsafe rename("\(path).v2", path), "rename")
    }

    @Test(arguments: ["", "-chunks"]) func replacedFileIsTold(_ suffix: String) throws {
        try withMount { vault in
            try replace(vault.file + suffix)
            // `echo x > x` may come before it is noticed.
            _ = try Posix.code { try vault.write("x\n", to: "x") }
            let refused = try vault.coffer(["lock"]).run(expecting: 27)
            #expect(refused.errorText.contains("\(vault.file + suffix) was replaced"), "\(refused.errorText)")
            #expect(vault.isMounted)
            let status = try vault.coffer(["status"]).run(expecting: 0)
            #expect(status.text.contains("Gone:     \(vault.file + suffix) was"), "\(status.text)")
            #expect(try Posix.code { try saveDurably(vault, "y") } == ESTALE, "fsync(2) and creating files tell it")
            #expect(try Posix.code { try vault.write("y\n", to: "before") } == ESTALE, "close(2) tells it")
            #expect(try vault.read("large").count == 1 << 20, "what is there can be copied out")
            try vault.coffer(["lock", "--discard"]).run(expecting: 0)
            #expect(!vault.isMounted)
        }
    }

    /// Put back under its name, it goes on.
    @Test func movedFileIsPutBack() throws {
        try withMount { vault in
            let other = vault.home.file("other")
            try Posix.check(unsafe rename(vault.file, other), "rename")
            #expect(try Posix.code { try saveDurably(vault, "x") } == ESTALE)
            try vault.coffer(["lock", vault.directory]).run(expecting: 27)
            try Posix.check(unsafe rename(other, vault.file), "rename")
            try vault.lock()
            try vault.mount()
            #expect(try vault.read("before") == "before\n")
            try saveDurably(vault, "x")
            try vault.lock()
            try vault.opened("verify").run(expecting: 0)
        }
    }

    /// The logs alone: locking brings into the vault's file what they had.
    @Test(arguments: ["-redo", "-wal"]) func lostLogIsMendedByLocking(_ suffix: String) throws {
        try withMount { vault in
            try vault.write("acknowledged\n", to: "x")
            try FileManager.default.removeItem(atPath: vault.file + suffix)
            #expect(try Posix.code { try saveDurably(vault, "before") } == ESTALE)
            #expect(
                try vault.coffer(["status"]).run(expecting: 0).text.contains("Gone:     \(vault.file + suffix) was"))
            try vault.lock()
            try vault.mount()
            #expect(try vault.read("x") == "acknowledged\n")
            #expect(try vault.read("before").hasPrefix("x\n"), "what could not be saved before is")
            #expect(try vault.read("large").count == 1 << 20)
            try vault.lock()
            try vault.opened("verify").run(expecting: 0)
        }
    }
}
