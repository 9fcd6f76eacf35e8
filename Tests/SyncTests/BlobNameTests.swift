import Format
import Synchronization
import Testing

@testable import Sync
@testable import Vault

/// Names of blobs have a sub-key of their own. Remotes that programs from before have filled have others, made with the
/// sub-key that seals snapshots: what is there under these is read, is not sent again, and goes when it is of no use.
@Suite struct BlobNameTests {
    /// Six chunks of 64 KiB, and a short one that travels in the segment.
    private static func large(_ letter: Character) -> String {
        String(repeating: "large content of \(letter)\n", count: 20_800)
    }

    @Test func namesHaveASubkeyOfTheirOwn() throws {
        let keys = Family.eight.keys[0]
        for slot in [1, 2, Int64.max] {
            #expect(keys.blobName(slot) == Family.eight.keys[1].blobName(slot), "each device comes to the same")
            #expect(keys.blobName(slot) != keys.oldBlobName(slot))
        }
    }

    @Test func blobsOfBeforeAreRead() async throws {
        let pair = try VaultPair(devices: 3)
        try pair.save("large", Self.large("a"), on: 0)
        try await pair.sync(0)
        try pair.giveBlobsOldNames()
        #expect(pair.blobs(in: "chunk").isEmpty && pair.blobs(in: "blob").count == 6)
        #expect(try await pair.sync(1).damaged.isEmpty)
        #expect(try pair.devices[1].tree() == ["large": Self.large("a")])
        // Some chunks under names of before, some under those of now.
        try pair.change("large", at: 100_000, on: 1)
        try await pair.sync(1)
        #expect(try await pair.sync(2).damaged.isEmpty)
        #expect(try pair.devices[2].tree() == pair.devices[1].tree())
    }

    /// A device that joins at an old remote asks twice for the first 16 blobs, and once for all others.
    @Test func placesOfBeforeAreLearnt() async throws {
        func calls(areOld: Bool) async throws -> Int {
            let pair = try VaultPair()
            try pair.save("large", String(repeating: Self.large("a"), count: 6), on: 0)
            try await pair.sync(0)
            if areOld { try pair.giveBlobsOldNames() }
            try await pair.sync(1)
            return pair.remotes[1].calls.withLock { $0 }
        }
        #expect(try await calls(areOld: true) == calls(areOld: false) + 1)
    }

    /// An edit of a large file names all its chunks. Those that are there stay where they are, and each is sent once.
    @Test func blobsOfBeforeAreNotSentAgain() async throws {
        let pair = try VaultPair()
        try pair.save("large", Self.large("a"), on: 0)
        try await pair.sync(0)
        try pair.giveBlobsOldNames()
        for (count, offset) in [(1, 0), (2, 140_000), (3, 270_000)] {
            try pair.change("large", at: offset, on: 0)
            for device in [0, 1, 0, 1] { try await pair.sync(device) }
            #expect(pair.blobs(in: "chunk").count == count && pair.blobs(in: "blob").count == 6)
        }
        #expect(try pair.devices[1].tree() == pair.devices[0].tree())
    }

    @Test func blobsOfBeforeGoWhenTheyAreOfNoUse() async throws {
        let pair = try VaultPair(segmentsBeforeSnapshot: 1)
        try pair.save("large", Self.large("a"), on: 0)
        try pair.save("kept", Self.large("k"), on: 0)
        try await pair.syncAll()
        try pair.giveBlobsOldNames()
        for letter in "bcdef" {
            try pair.save("large", Self.large(letter), on: 0)
            try await pair.syncAll()
        }
        for _ in 0..<2 { try await pair.syncAll() }
        // Those of `kept`, which no other object has.
        #expect(pair.blobs(in: "blob").count == 6)
        #expect(pair.blobs(in: "chunk").count <= 24, "what is of no use under the names of now goes, too")
        #expect(try pair.devices[1].tree() == ["large": Self.large("f"), "kept": Self.large("k")])
    }
}

extension VaultPair {
    /// Puts all blobs where a program from before would have put them.
    fileprivate func giveBlobsOldNames() throws {
        let engine = self.engine(0)
        let chunks = try devices[0].replica.transaction { (replica) throws(SyncError) in
            var chunks: [ChunkReference] = []
            try replica.forEachRegister { (register) throws(SyncError) in chunks += engine.chunks(of: [register]) }
            return chunks
        }
        let places = Dictionary(uniqueKeysWithValues: chunks.map { (engine.path($0), engine.oldPath($0)) })
        remote.contents.withLock { contents in
            contents.views = contents.views.mapValues { view in
                Dictionary(uniqueKeysWithValues: view.map { (places[$0] ?? $0, $1) })
            }
        }
    }

    /// What one of the folders for blobs has.
    fileprivate func blobs(in folder: String) -> [RemotePath] {
        remote.contents.withLock { contents in
            (contents.views[0] ?? [:]).keys.filter { $0.components[1] == folder }.sorted()
        }
    }

    /// Writes one byte within a file.
    fileprivate func change(_ name: String, at offset: Int, on device: Int) throws {
        let vault = devices[device].vault
        let node = try item(name, on: device).node
        try vault.opened(node, writing: true, truncate: false)
        defer { vault.closed(node, writing: true) }
        unsafe try vault.write(node, offset: UInt64(offset), Array("x".utf8).span.bytes)
        try vault.flush(node)
    }
}
