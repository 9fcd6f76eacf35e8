import Foundation
import Remotes
import Sync
import TestSupport
import Testing

/// What a listing shows, on every remote.
@Suite struct ListingTests {
    @Test(arguments: Kind.allCases) func filesAndFoldersAreListed(_ kind: Kind) async throws {
        let place = try Place(kind)
        let remote = try place.remote()
        try await remote.create([
            RemoteObject("v1/vault", "header"), RemoteObject("v1/log/device/0001.ab", "segment"),
            RemoteObject("v1/log/device/0002.cd", []),
        ])
        let top = try await remote.list(.top)
        #expect(top.map(\.name) == ["v1"])
        #expect(top.first?.isFolder == true)
        let inside = try await remote.list("v1")
        #expect(inside.map(\.name) == ["log", "vault"])
        #expect(inside.map(\.isFolder) == [true, false])
        let segments = try await remote.list("v1/log/device")
        #expect(segments.map(\.name) == ["0001.ab", "0002.cd"])
        #expect(segments.map(\.size) == [7, 0])
    }

    @Test(arguments: Kind.allCases) func foreignNamesAreLeftOut(_ kind: Kind) async throws {
        let place = try Place(kind)
        let foreign = [
            "Upper", "a b", "ü", "100%", "%41", "é%20", ".hidden", "a;b", "a&b", "a<b", "a'b\"c", "a\\b", "a+b", "a~",
            "object.sync-conflict-20260101-120000-2345672", ".syncthing.coffer-12.tmp", "~syncthing~object.tmp",
            "日本語", "a=b", "a,b", "a@b", "a!b", "$a", "(a)", "[a]", "{a}", "a^b", "a`b", "a|b",
            String(repeating: "x", count: 129),
        ]
        for name in foreign { try place.plant([1], at: "a/\(name)") }
        try place.plant([1], at: "a/" + String(repeating: "x", count: 128))
        try place.plant([1], at: "a/0-9_z.z")
        let names = try await place.remote().list("a").map(\.name)
        #expect(names == ["0-9_z.z", String(repeating: "x", count: 128)])
    }

    @Test(arguments: Kind.allCases) func aMissingFolderIsEmpty(_ kind: Kind) async throws {
        let place = try Place(kind)
        #expect(try await place.remote().list("v1/log").isEmpty)
        #expect(try await place.remote().list(.top).isEmpty)
        #expect(try await place.remote().read("v1/log/device/1") == .missing)
    }

    @Test(arguments: Kind.allCases) func aMissingRemoteIsSaidToBeSo(_ kind: Kind) async throws {
        let place = try Place(kind)
        try FileManager.default.removeItem(atPath: place.folder)
        try await expectMissing { try await place.remote().list(.top) }
        try await expectMissing { try await place.remote().read("v1/vault") }
        try await expectMissing { try await place.remote().create([RemoteObject("v1/vault", "bytes")]) }
        #expect(!place.exists(""))
    }

    private func expectMissing<Value>(_ body: () async throws -> Value) async throws {
        do {
            _ = try await body()
            Issue.record("a remote that is not there answered")
        } catch RemoteError.unreachable(let sentence) {
            #expect(sentence.hasPrefix("there is no"))
        }
    }

    @Test(arguments: Kind.allCases) func fiveThousandNamesAreListed(_ kind: Kind) async throws {
        let place = try Place(kind)
        for number in 0..<5000 { try place.plant([1, 2, 3], at: "a/object-\(number)") }
        let items = try await place.remote().list("a")
        #expect(Set(items.map(\.name)) == Set((0..<5000).map { "object-\($0)" }))
        #expect(items.count == 5000 && items.allSatisfy { !$0.isFolder && $0.size == 3 && $0.tag != nil })
    }

    @Test(arguments: Kind.allCases) func foldersAreNoObjects(_ kind: Kind) async throws {
        let place = try Place(kind)
        try place.makeFolder("\(place.folder)/a/folder")
        #expect(try await place.remote().read("a/folder") == .missing)
    }
}
