import Foundation
import TestSupport
import Testing

/// What a vault keeps of earlier contents gives way to new ones, and the files shrink.
@Suite struct KeepingTests {
    private func content(_ number: Int, _ count: Int) -> [UInt8] {
        Array("content \(number)\n".utf8) + [UInt8](repeating: UInt8(number & 0xFF), count: max(0, count - 20))
    }

    /// What all files of a vault take on the disk, in bytes.
    private func stored(_ vault: TestVault) throws -> Int {
        let folder = vault.home.file(".local/share/coffer")
        return try FileManager.default.contentsOfDirectory(atPath: folder).reduce(0) { sum, name in
            sum + Int(try Posix.status("\(folder)/\(name)").st_blocks) * 512
        }
    }

    /// On a disk of 64 MiB, contents of 2 MB are written and removed again and again: no call fails, and what lives is
    /// untouched.
    @Test(.enabled(if: geteuid() == 0, "mounting a tmpfs needs root")) func theDiskNeverFillsWithHistory() throws {
        try SmallDisk.with(megabytes: 64) { vault, _ in
            try vault.mount()
            let live = content(0, 2_000_000)
            try Posix.write(live, to: vault.path("live"))
            let variants = (1...4).map { content($0, 2_000_000) }
            for round in 0..<(Program.long ? 10_000 : 100) {
                let name = vault.path(round % 3 == 0 ? "file \(round)" : "file")
                try Posix.write(variants[round % 4], to: name)
                if round % 5 == 0 { try Posix.write(variants[(round + 1) % 4], to: name) }
                try Posix.check(unsafe unlink(name), "unlink \(round)")
                if round % 50 == 0 {
                    try Posix.check(unsafe mkdir(vault.path("folder"), 0o700), "mkdir \(round)")
                    try Posix.check(unsafe rmdir(vault.path("folder")), "rmdir \(round)")
                }
            }
            #expect(try Posix.read(vault.path("live")) == live)
            try vault.lock()
            // Three times what lives, and a quarter of the disk.
            let bytes = try stored(vault)
            #expect(bytes <= 3 * 2_000_000 + 16 << 20)
            try vault.opened("verify").run(expecting: 0)
            try vault.mount()
            #expect(try Posix.read(vault.path("live")) == live)
            try vault.lock()
        }
    }

    /// `df` counts as free what would give way, and a file of that size can then be written.
    @Test(.enabled(if: geteuid() == 0, "mounting a tmpfs needs root")) func whatGivesWayCountsAsFree() throws {
        try SmallDisk.with(megabytes: 64) { vault, _ in
            try vault.mount()
            for round in 1...6 {
                try Posix.write(content(round, 2_000_000), to: vault.path("file"))
                try Posix.check(unsafe unlink(vault.path("file")), "unlink")
            }
            func free() throws -> Int {
                let words = try Command("stat", ["-f", "-c", "%a %S", vault.directory]).run(expecting: 0).text
                return words.split { $0 == " " || $0 == "\n" }.compactMap { Int($0) }.reduce(1, *)
            }
            let available = try free()
            let folder = vault.home.file(".local/share/coffer")
            let onDisk = try Command("stat", ["-f", "-c", "%a %S", folder]).run(expecting: 0).text
                .split { $0 == " " || $0 == "\n" }.compactMap { Int($0) }.reduce(1, *)
            #expect(available > onDisk + 8_000_000, "\(available) and \(onDisk)")
            let count = (available - (6 << 20)) / 8 * 8
            try Posix.write(content(7, count), to: vault.path("large"))
            #expect(try Posix.read(vault.path("large")) == content(7, count))
            try vault.lock()
        }
    }

    @Test func settingsAreKept() throws {
        try TestVault.with { vault in
            try vault.mount()
            let shown = try vault.coffer(["settings"]).run(expecting: 0).text
            for name in ["keep-share", "keep-floor", "version-age", "trash-age"] { #expect(shown.contains(name)) }
            try vault.coffer(["settings", "keep-floor", "8M"]).run(expecting: 0)
            try vault.coffer(["settings", "trash-age", "7d"]).run(expecting: 0)
            #expect(try vault.coffer(["settings", "keep-floor"]).run(expecting: 0).text == "8 MiB\n")
            try vault.lock()
            #expect(try vault.opened("settings", "trash-age").run(expecting: 0).text == "7d\n")
            try vault.opened("settings", "trash-age", "--reset").run(expecting: 0)
            let json = try vault.opened("settings", "--json").run(expecting: 0).text
            #expect(json.contains("\"keepFloor\" : 8388608") && json.contains("\"trashAge\" : 30"), "\(json)")
        }
    }

    /// The bound counts as soon as it is set: also for what is there already.
    @Test func aBoundThatIsSetCounts() throws {
        try TestVault.with { vault in
            try vault.mount()
            for round in 0..<10 { try Posix.write(content(round, 1_000_000), to: vault.path("file")) }
            #expect(try stored(vault) > 10_000_000)
            try vault.coffer(["settings", "keep-share", "0"]).run(expecting: 0)
            try vault.coffer(["settings", "keep-floor", "2M"]).run(expecting: 0)
            try vault.coffer(["compact"]).run(expecting: 0)
            try vault.lock()
            #expect(try stored(vault) < 1_000_000 + 3 << 20)
            try vault.opened("verify").run(expecting: 0)
        }
    }

    @Test(arguments: [
        ["keep-share", "-1"], ["keep-share", "10001%"], ["keep-floor", "x"], ["keep-floor", "99999999999T"],
        ["version-age", "0"], ["trash-age", "36501d"], ["trash-age", "1h"], ["size", "1"],
        ["trash-age", "1", "--reset"],
        ["keep-floor", ""],
    ])
    func whatIsNoSetting(_ arguments: [String]) throws {
        try TestVault.with { vault in
            let separated = ["settings"] + (arguments.contains("--reset") ? [] : ["--"]) + arguments
            try vault.coffer(separated).run(expecting: 64)
        }
    }

    /// Mounted or not, the files shrink to what is in them; read-only nothing is changed.
    @Test(arguments: [true, false]) func compactGivesBack(isMounted: Bool) throws {
        try TestVault.with { vault in
            try vault.mount()
            // In the store itself: below the size of a chunk that has a cell.
            for number in 0..<400 { try Posix.write(content(number, 20_000), to: vault.path("file \(number)")) }
            for number in 1..<400 { try Posix.check(unsafe unlink(vault.path("file \(number)")), "unlink") }
            try vault.coffer(["settings", "keep-share", "0"]).run(expecting: 0)
            try vault.coffer(["settings", "keep-floor", "0"]).run(expecting: 0)
            #expect(try stored(vault) > 8_000_000)
            if !isMounted { try vault.lock() }
            let compact = isMounted ? try vault.coffer(["compact"]) : try vault.opened("compact")
            #expect(try compact.run(expecting: 0).text.contains(" now"))
            if isMounted { try vault.lock() }
            let bytes = try stored(vault)
            // Operations are kept for a remote that may be set.
            #expect(bytes < 1_000_000)
            try vault.opened("verify").run(expecting: 0)
            try vault.mount()
            #expect(try Posix.read(vault.path("file 0")) == content(0, 20_000))
            try vault.lock()
        }
    }
}
