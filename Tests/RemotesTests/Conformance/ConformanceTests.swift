import Foundation
import Remotes
import Sync
import TestSupport
import Testing

/// What every remote does, whatever it stands on.
@Suite struct ConformanceTests {
    @Test(arguments: Kind.allCases) func objectsAreReadBack(_ kind: Kind) async throws {
        let place = try Place(kind)
        let objects = try [0, 1, 255, 4096, 100_000].map { size in
            try RemoteObject("v1/blob/\(size)", (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 31) })
        }
        try await place.remote().create(objects)
        let read = try await place.remote().read(objects.map(\.path), limit: 100_000)
        #expect(read == objects.map { .bytes($0.bytes) })
        for object in objects { #expect(try place.bytes(at: object.path.description) == object.bytes) }
    }

    @Test(arguments: Kind.allCases) func answersComeInTheOrderAskedFor(_ kind: Kind) async throws {
        let place = try Place(kind)
        let remote = try place.remote()
        try await remote.create((0..<40).map { try RemoteObject("a/o-\($0)", "bytes of \($0)") })
        let asked = try (0..<80).reversed().map { try RemotePath(path: "a/o-\($0)") }
        let read = try await remote.read(asked, limit: 100)
        #expect(read == (0..<80).reversed().map { $0 < 40 ? .bytes(Array("bytes of \($0)".utf8)) : .missing })
    }

    @Test(arguments: Kind.allCases) func limitIsTheLongestThatIsGiven(_ kind: Kind) async throws {
        let place = try Place(kind)
        let remote = try place.remote()
        try await remote.create([RemoteObject("a/ten", "0123456789"), RemoteObject("a/none", [])])
        #expect(try await remote.read("a/ten", limit: 10) == .bytes(Array("0123456789".utf8)))
        #expect(try await remote.read("a/ten", limit: 9) == .tooLong)
        #expect(try await remote.read("a/ten", limit: 0) == .tooLong)
        #expect(try await remote.read("a/none", limit: 0) == .bytes([]))
    }

    @Test(arguments: Kind.allCases) func whatIsThereIsLeftAsItIs(_ kind: Kind) async throws {
        let place = try Place(kind)
        try place.plant(Array("first".utf8), at: "a/object")
        try await place.remote().create([RemoteObject("a/object", "other")])
        #expect(try place.bytes(at: "a/object") == Array("first".utf8))
    }

    @Test(arguments: Kind.allCases, ["", "0123", "0123456789 and more"]) func tornUploadIsReplaced(
        _ kind: Kind, _ rest: String
    ) async throws {
        for isNew in [false, true] {
            let place = try Place(kind)
            try place.plant(Array(rest.utf8), at: "a/object")
            var object = try RemoteObject("a/object", "0123456789")
            object.isNew = isNew
            try await place.remote().create([object])
            #expect(try await place.remote().read("a/object") == .bytes(Array("0123456789".utf8)))
        }
    }

    @Test(arguments: Kind.allCases) func creatingAgainChangesNothing(_ kind: Kind) async throws {
        let place = try Place(kind)
        let objects = try (0..<100).map { try RemoteObject("v1/blob/\($0 % 5)/o-\($0)", "object \($0)") }
        try await place.remote().create(objects)
        try await place.remote().create(objects)
        // Though they are said to be new.
        try await place.remote().create(
            objects.map { RemoteObject(path: $0.path, bytes: $0.bytes, isNew: true) })
        let remote = try place.remote()
        try await remote.create(objects + objects)
        #expect(try await remote.read(objects.map(\.path), limit: 100) == objects.map { .bytes($0.bytes) })
        #expect(try await remote.list("v1/blob/3").count == 20)
    }

    @Test(arguments: Kind.allCases) func severalWritersMeet(_ kind: Kind) async throws {
        let place = try Place(kind)
        let objects = try (0..<20).map { try RemoteObject("v1/new/folder/o-\($0)", "object \($0)") }
        try await withThrowingTaskGroup { group in
            for _ in 0..<4 {
                let remote = try place.remote()
                group.addTask { try await remote.create(objects.shuffled()) }
            }
            try await group.waitForAll()
        }
        let read = try await place.remote().read(objects.map(\.path), limit: 100)
        #expect(read == objects.map { .bytes($0.bytes) })
        #expect(try await place.remote().list("v1/new/folder").count == 20)
    }

    @Test(arguments: Kind.allCases) func hintIsReplaced(_ kind: Kind) async throws {
        let place = try Place(kind)
        let remote = try place.remote()
        try await remote.replace(RemoteObject("v1/head/one", "a long first hint"))
        let first = try await remote.list("v1/head").first
        try await remote.replace(RemoteObject("v1/head/one", "second"))
        #expect(try await remote.read("v1/head/one") == .bytes(Array("second".utf8)))
        let second = try await remote.list("v1/head").first
        #expect(first?.tag != nil && first?.tag != second?.tag)
        #expect(second?.size == 6)
    }

    @Test(arguments: Kind.allCases) func removedIsGone(_ kind: Kind) async throws {
        let place = try Place(kind)
        let remote = try place.remote()
        try await remote.create((0..<20).map { try RemoteObject("a/o-\($0)", "bytes") })
        let paths = try (0..<30).map { try RemotePath(path: "a/o-\($0)") }
        try await remote.remove(paths + [RemotePath(path: "no/such/folder/object")])
        try await remote.remove(paths)
        #expect(try await remote.list("a").isEmpty)
        #expect(try await remote.read("a/o-1") == .missing)
    }

    @Test(arguments: Kind.allCases) func largeObjectsPass(_ kind: Kind) async throws {
        let place = try Place(kind)
        var random = Seeded(seed: 16)
        let block = (0..<65537).map { _ in UInt8(truncatingIfNeeded: random.next()) }
        var bytes: [UInt8] = []
        while bytes.count + block.count <= 16 << 20 { bytes += block }
        try await place.remote().create([RemoteObject("v1/blob/large", bytes)])
        #expect(try await place.remote().read("v1/blob/large", limit: bytes.count) == .bytes(bytes))
        #expect(try await place.remote().read("v1/blob/large", limit: bytes.count - 1) == .tooLong)
    }

    @Test(arguments: Kind.allCases) func aCancelledTaskStops(_ kind: Kind) async throws {
        let remote = try Place(kind).remote()
        let task = Task {
            unsafe withUnsafeCurrentTask { unsafe $0?.cancel() }
            try await remote.create((0..<50).map { try RemoteObject("a/o-\($0)", "bytes") })
        }
        await #expect(throws: RemoteError.cancelled) { try await task.value }
    }
}
