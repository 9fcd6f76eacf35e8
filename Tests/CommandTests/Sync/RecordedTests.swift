import Foundation
import TestSupport
import Testing

/// Two vaults and their remote as programs from before have left them (of 9a47f33, by the issue's own commands), in states
/// that these programs never got out of. They heal at the first synchronisation, and nothing is lost.
@Suite struct RecordedTests {
    /// The two vaults, mounted, with their remote.
    struct Recording {
        let a: TestVault
        let b: TestVault

        /// - Parameter trueCost: whether they were made by programs that derive keys as they do elsewhere.
        static func with(_ name: String, trueCost: Bool = true, _ body: (Recording) throws -> Void) throws {
            try TestVault.with(initialized: false, trueCost: trueCost) { a in
                try TestVault.with(initialized: false, trueCost: trueCost) { b in
                    try unpack(name, to: a)
                    for (device, folder) in [(a, "A"), (b, "B")] {
                        let place = (device.file as NSString).deletingLastPathComponent
                        try FileManager.default.createDirectory(atPath: place, withIntermediateDirectories: true)
                        for file in try FileManager.default.contentsOfDirectory(atPath: a.home.file(folder)) {
                            try FileManager.default.copyItem(
                                atPath: a.home.file("\(folder)/\(file)"), toPath: "\(place)/\(file)")
                        }
                        try device.mount("--no-sync")
                        try device.opened("remote", "set", a.home.file("remote")).run(expecting: 0)
                    }
                    try body(Recording(a: a, b: b))
                    for device in [a, b] {
                        try device.coffer(["verify"]).run(expecting: 0)
                        try device.lock()
                    }
                }
            }
        }

        /// Unpacks an archive into a vault's home.
        static func unpack(_ name: String, to vault: TestVault) throws {
            let archive = try #require(
                Bundle.module.path(forResource: name, ofType: "tar.gz", inDirectory: "Recorded"))
            try Command("tar", ["-xzf", archive, "-C", vault.home.path]).run(expecting: 0)
        }

        @discardableResult
        func sync(_ device: TestVault) throws -> Command.Result { try device.coffer(["sync"]).run(expecting: 0) }

        /// Paths with contents, or with the targets of links; folders with a slash.
        func tree(_ device: TestVault) throws -> [String: String] {
            let paths = FileManager.default.enumerator(atPath: device.directory)?.allObjects ?? []
            return try paths.compactMap { $0 as? String }.reduce(into: [:]) { tree, path in
                switch try Posix.status(device.path(path)).st_mode & S_IFMT {
                case S_IFDIR: tree[path + "/"] = ""
                case S_IFLNK: tree[path] = try FileManager.default.destinationOfSymbolicLink(atPath: device.path(path))
                default: tree[path] = try device.read(path)
                }
            }
        }
    }

    /// A could not apply what B had done, and took its own edits down with it.
    @Test func vaultThatCouldNotSynchroniseAnyMore() throws {
        try Recording.with("wedged") { recording in
            for device in [recording.a, recording.b] { try recording.sync(device) }
            let wanted = ["d/": "", "d/f": "2", "later": "after\n", "own": "edit\n"]
            #expect(try recording.tree(recording.a) == wanted)
            #expect(try recording.tree(recording.b) == wanted)
        }
    }

    /// Both were up to date, and showed different things: an edit of what the other one had removed was on one side only.
    @Test(arguments: [true, false]) func vaultsThatDiffered(_ isAFirst: Bool) throws {
        try Recording.with("differ") { recording in
            let (first, second) = isAFirst ? (recording.a, recording.b) : (recording.b, recording.a)
            for device in [first, second, first, second] { try recording.sync(device) }
            let wanted = ["b": "1\n", "c": "new\n", "x": "s\n"]
            #expect(try recording.tree(recording.a) == wanted)
            #expect(try recording.tree(recording.b) == wanted)
        }
    }

    /// Copies were removed, and what they showed competed on: edits vanished without a word, and fields never merged.
    @Test func rivalsThatWereNeverSettled() throws {
        try Recording.with("rivals") { recording in
            let (a, b) = (recording.a, recording.b)
            for device in [a, b, a] { try recording.sync(device) }
            #expect(try recording.tree(a) == recording.tree(b))
            try a.write("on\n", to: "f")
            try b.write("off\n", to: "f")
            try a.write("k: 5\nl: 1\n", to: "g")
            try b.write("k: 2\nl: 7\n", to: "g")
            try recording.sync(a)
            let said = try recording.sync(b).text
            #expect(said.contains("Conflict: f: the other edit is in f (conflict"))
            #expect(said.contains("Conflict: g: both edits are in it"))
            try recording.sync(a)
            let tree = try recording.tree(a)
            #expect(try tree == recording.tree(b))
            #expect(tree["g"] == "k: 5\nl: 7\n")
            #expect(tree.count == 3)
            #expect(Set(tree.filter { $0.key.hasPrefix("f") }.values) == ["on\n", "off\n"])
        }
    }

    /// The 256th of them ended synchronisation for good.
    @Test func moreRivalsThanThereWasRoomFor() throws {
        try Recording.with("crowded") { recording in
            let (a, b) = (recording.a, recording.b)
            for device in [a, b, a, b] { try recording.sync(device) }
            let tree = try recording.tree(a)
            #expect(try tree == recording.tree(b))
            try a.write("last\n", to: "f")
            for device in [a, b] { try recording.sync(device) }
            #expect(try b.read("f") == "last\n")
        }
    }

    /// Of fd29ea7: large contents at the remote under names of before, of two epochs, with a snapshot. B has read the
    /// first epoch only.
    @Test func blobsUnderTheNamesOfBefore() throws {
        try Recording.with("blobs", trueCost: false) { recording in
            let (a, b) = (recording.a, recording.b)
            let remote = RemoteFiles(folder: a.home.file("remote"))
            let old = remote.paths().filter { $0.hasPrefix("v1/blob/") }
            #expect(old.count == 3)
            for device in [b, a, b] { try recording.sync(device) }
            let tree = try recording.tree(a)
            #expect(try tree == recording.tree(b))
            #expect(tree["second"] == String(repeating: "two\n", count: 5000))
            #expect(tree["first"] == String(repeating: "one\n", count: 5000))
            // Everything was read, and nothing of it was sent again; what nothing names any more went.
            #expect(Set(remote.paths().filter { $0.hasPrefix("v1/blob/") }).isSubset(of: old))
            #expect(!remote.paths().contains { $0.hasPrefix("v1/chunk/") })
            try a.write(String(repeating: "three\n", count: 5000), to: "third")
            for device in [a, b, a] { try recording.sync(device) }
            #expect(remote.paths().filter { $0.hasPrefix("v1/chunk/") }.count == 1)
            #expect(try recording.tree(a) == recording.tree(b))
        }
    }
}
