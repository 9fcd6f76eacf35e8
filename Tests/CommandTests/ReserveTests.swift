import Foundation
import TestSupport
import Testing

/// A full disk under the mount: small edits and removals go through, and what cannot wait is not lost.
@Suite(.enabled(if: geteuid() == 0, "mounting a tmpfs needs root")) struct ReserveTests {
    private func text(_ letter: String, _ count: Int) -> [UInt8] {
        [UInt8](repeating: letter.utf8.first ?? 0, count: count)
    }

    private func mountAgain(_ vault: TestVault) throws -> String {
        try vault.opened("mount", vault.directory).run(expecting: 0).errorText
    }

    /// These ends do not wait: what is not saved goes into the reserve, the smallest first, and the rest is named.
    @Test(arguments: ["SIGTERM", "fusermount3", "SIGHUP"]) func whatCannotWait(_ way: String) throws {
        try SmallDisk.with(megabytes: 32) { vault, disk in
            try vault.mount()
            let daemon = try vault.daemon()
            let sizes = [("large", 6 << 20), ("medium", 400_000), ("small", 300_000)]
            let files = try sizes.map { try Posix.File(vault.path($0.0), O_WRONLY | O_CREAT) }
            try disk.fill()
            for (file, (name, size)) in zip(files, sizes) {
                try file.write(text(name, size))
                #expect(try Posix.code { try file.close() } == ENOSPC)
            }
            switch way {
            case "SIGTERM": daemon.send(SIGTERM)
            case "SIGHUP": daemon.send(SIGHUP)
            default: _ = try vault.home.command("fusermount3", ["-u", vault.directory]).runUnlessBusy()
            }
            try daemon.waitForEnd()
            #expect(!vault.isMounted)
            let log = try vault.coffer(["log"]).run(expecting: 0).text
            #expect(
                log.contains("Locked with 3 contents unsaved: 2 are in the reserve, 1 had no room there."), "\(log)")

            // The disk is full still.
            let told = try mountAgain(vault)
            #expect(told.contains("Put back: small, which") && told.contains("Put back: medium, which"), "\(told)")
            #expect(told.contains("Lost: what was written into large"), "\(told)")
            #expect(try vault.coffer(["status"]).run(expecting: 0).text.contains("Lost:     large ("))
            for (name, size) in sizes.dropFirst() { #expect(try Posix.read(vault.path(name)) == text(name, size)) }
            #expect(try vault.coffer(["lock"]).run(expecting: 27).errorText.contains("Not saved: small\n"))
            // A second time: what is there stays, and what was written since comes behind it.
            let third = try vault.daemon()
            _ = try Posix.code { try Posix.write(text("third", 300_000), to: vault.path("third")) }
            third.send(SIGTERM)
            try third.waitForEnd()
            #expect(try mountAgain(vault).contains("Put back: third, which"))
            #expect(try Posix.read(vault.path("third")) == text("third", 300_000))
            try disk.free()
            try vault.lock()
            #expect(try mountAgain(vault).isEmpty, "it is put back once")
            for (name, size) in sizes.dropFirst() { #expect(try Posix.read(vault.path(name)) == text(name, size)) }
            try vault.lock()
            try vault.opened("verify").run(expecting: 0)
        }
    }

    @Test func removalsAndSmallEditsGoThrough() throws {
        try SmallDisk.with(megabytes: 24) { vault, disk in
            try vault.mount()
            for index in 0..<60 { try vault.write("text \(index)", to: "entry \(index)") }
            try disk.fill()
            for index in 0..<10 { try vault.write("edited \(index)", to: "entry \(index)") }
            try FileManager.default.createDirectory(atPath: vault.path("folder"), withIntermediateDirectories: false)
            try FileManager.default.removeItem(atPath: vault.path("folder"))
            for index in 10..<60 { try FileManager.default.removeItem(atPath: vault.path("entry \(index)")) }
            try vault.lock()
            try vault.mount()
            #expect(try vault.read("entry 3") == "edited 3")
            #expect(try Posix.names(vault.directory).count == 10)
            try vault.lock()
            try disk.free()
            try vault.opened("verify").run(expecting: 0)
        }
    }

    /// It is there as long as the vault is mounted: a sixteenth of what is free, at most 4 MiB.
    @Test func isGivenBack() throws {
        try SmallDisk.with(megabytes: 24) { vault, _ in
            let reserve = vault.file + "-reserve"
            for end in ["lock", "kill", "lock"] {
                try vault.mount()
                let size = try Posix.status(reserve).st_size
                #expect(size > 512 << 10 && size < 1536 << 10, "\(size)")
                if end == "lock" {
                    try vault.lock()
                    #expect(!FileManager.default.fileExists(atPath: reserve))
                } else {
                    let daemon = try vault.daemon()
                    daemon.send(SIGKILL)
                    try daemon.waitForEnd()
                }
            }
        }
        try TestVault.with { vault in
            try vault.mount()
            #expect(try Posix.status(vault.file + "-reserve").st_size <= 4 << 20)
            try vault.lock()
        }
    }
}
