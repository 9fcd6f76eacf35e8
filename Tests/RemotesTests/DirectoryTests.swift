import Foundation
import Remotes
import Sync
import TestSupport
import Testing

/// What only a folder can have, and what nobody may be led to by it.
@Suite struct DirectoryTests {
    @Test func linksAreNotFollowed() async throws {
        let place = try Place(.directory)
        let outside = try TemporaryHome()
        try outside.write("outside", to: "secret")
        try place.plant([1], at: "a/object")
        let manager = FileManager.default
        try manager.createSymbolicLink(atPath: "\(place.folder)/a/link", withDestinationPath: outside.file("secret"))
        try manager.createSymbolicLink(atPath: "\(place.folder)/b", withDestinationPath: outside.path)
        let remote = try place.remote()
        #expect(try await remote.list("a").map(\.name) == ["object"])
        #expect(try await remote.list(.top).map(\.name) == ["a"])
        #expect(try await remote.list("b").isEmpty)
        #expect(try await remote.read("a/link") == .missing)
        #expect(try await remote.read("b/secret") == .missing)
        await #expect(throws: RemoteError.self) { try await remote.create([RemoteObject("b/object", "bytes")]) }
        try await remote.remove([RemotePath(path: "b/secret")])
        // A link in an object's place gives way to the object.
        try await remote.create([RemoteObject("a/link", "outside")])
        #expect(try Posix.read(outside.file("secret")) == Array("outside".utf8))
        #expect(try Posix.status("\(place.folder)/a/link").st_mode & S_IFMT == S_IFREG)
    }

    @Test func otherThingsAreNoObjects() async throws {
        let place = try Place(.directory)
        try place.makeFolder("\(place.folder)/a/folder")
        try place.makeFolder("\(place.folder)/a")
        try unsafe Posix.check(mkfifo("\(place.folder)/a/fifo", 0o600), "mkfifo")
        let remote = try place.remote()
        #expect(try await remote.list("a").map(\.name) == ["folder"])
        #expect(try await remote.read("a/fifo") == .missing)
        #expect(try await remote.read("a/folder") == .missing)
        await #expect(throws: RemoteError.self) { try await remote.create([RemoteObject("a/folder", "bytes")]) }
        try await remote.remove([RemotePath(path: "a/folder")])
        #expect(place.exists("a/folder"))
    }

    @Test func onlyLeftOversOfDeadRunsAreRemoved() async throws {
        let place = try Place(.directory)
        let old = Date(timeIntervalSinceNow: -90_000)
        for name in [".syncthing.coffer-old.tmp", ".syncthing.other.tmp", ".hidden"] {
            try place.plant([1], at: "a/\(name)")
            try FileManager.default.setAttributes([.modificationDate: old], ofItemAtPath: "\(place.folder)/a/\(name)")
        }
        try place.plant([1], at: "a/.syncthing.coffer-new.tmp")
        try await place.remote().create([RemoteObject("a/object", "bytes")])
        let left = try Posix.names("\(place.folder)/a").sorted()
        #expect(left == [".hidden", ".syncthing.coffer-new.tmp", ".syncthing.other.tmp", "object"])
    }

    @Test func theFolderItselfIsMadeWhenAskedFor() async throws {
        let home = try TemporaryHome()
        let remote = DirectoryRemote(path: home.file("new"), createsFolder: true)
        #expect(try await remote.list(.top).isEmpty)
        try await remote.create([RemoteObject("v1/vault", "bytes")])
        #expect(try Posix.read(home.file("new/v1/vault")) == Array("bytes".utf8))
        let deeper = DirectoryRemote(path: home.file("no/such/folder"), createsFolder: true)
        await #expect(throws: RemoteError.self) { try await deeper.list(.top) }
    }

    /// A file system of 1 MiB; ENOSPC is told apart from everything else.
    @Test(.enabled(if: getuid() == 0, "mounting a tmpfs needs root")) func aFullDiskIsSaidToBeFull() async throws {
        let home = try TemporaryHome()
        let folder = try home.directory("small")
        try home.command("mount", ["-t", "tmpfs", "-o", "size=1m", "none", folder]).run(expecting: 0)
        let remote = DirectoryRemote(path: folder)
        let object = try RemoteObject("a/object", [UInt8](repeating: 1, count: 2 << 20))
        await #expect(throws: RemoteError.full) { try await remote.create([object]) }
        #expect(try Posix.names("\(folder)/a").isEmpty)
        try await remote.create([RemoteObject("a/object", "small")])
    }
}
