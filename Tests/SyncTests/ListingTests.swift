import Format
import Testing

@testable import Sync

/// A listing that lags behind what was written, as those of object stores behind WebDAV do, is no rollback.
@Suite struct ListingTests {
    /// Device 0 has written so many segments, and device 1 has read them.
    private func written(_ count: Int) async throws -> (Pair, [RemotePath]) {
        let pair = Pair()
        try pair.make("mail", "0", on: 0)
        for number in 1...count {
            try await pair.sync(0)
            try pair.write("\(number)", to: "mail", on: 0)
        }
        for device in [0, 1] { try await pair.sync(device) }
        return (pair, pair.segments(of: 0, in: pair.view(0)))
    }

    @Test(arguments: [1, 2, 5]) func whatWasPushedAMomentAgoMayBeUnlisted(_ count: Int) async throws {
        let (pair, segments) = try await written(6)
        pair.hideFromListings(Array(segments.suffix(count)))
        for device in [0, 1] { try await pair.sync(device) }
        try pair.write("more", to: "mail", on: 0)
        try await pair.sync(0)
        pair.hideFromListings([])
        try await pair.sync(1)
        #expect(pair.tree(1) == ["mail": "more"])
    }

    /// One of them, with later ones listed.
    @Test func anyMayBeUnlisted() async throws {
        let (pair, segments) = try await written(6)
        for segment in segments {
            pair.hideFromListings([segment])
            for device in [0, 1] { try await pair.sync(device) }
        }
    }

    /// What is in no listing and cannot be read either is gone.
    @Test(arguments: [1, 3]) func attack12_whatIsGoneIsARollback(_ count: Int) async throws {
        let (pair, segments) = try await written(6)
        let gone = Set(segments.suffix(count))
        for device in [0, 1] {
            pair.setView(device, pair.view(device).filter { !gone.contains($0.key) })
            await #expect(throws: SyncError.self) { try await pair.sync(device) }
        }
    }

    /// So is what lies below a segment that is there.
    @Test func attack12_aGapBelowTheLastIsARollback() async throws {
        let (pair, segments) = try await written(6)
        let gone = Set(segments.suffix(3).prefix(2))
        pair.setView(0, pair.view(0).filter { !gone.contains($0.key) })
        pair.hideFromListings([segments[segments.count - 1]])
        await #expect(throws: SyncError.self) { try await pair.sync(0) }
    }
}
