import Format
import Testing

@testable import Sync

/// What is waited for is said at the first look.
@Suite struct AwaitedTests {
    /// Device 1 has read all; then device 0 writes two segments, and the first of them does not come.
    private func gap(_ pair: Pair) async throws -> (missing: RemotePath, bytes: [UInt8]) {
        try pair.make("mail", "secret\n", on: 0)
        for device in [0, 1, 0, 1] { try await pair.sync(device) }
        var paths: [RemotePath] = []
        for text in ["one", "two"] {
            try pair.write(text, to: "mail", on: 0)
            try await pair.sync(0)
            paths = pair.segments(of: 0, in: pair.view(1))
        }
        let missing = paths[paths.count - 2]
        let bytes = try #require(pair.view(1)[missing])
        pair.setView(1, pair.view(1).filter { $0.key != missing })
        return (missing, bytes)
    }

    private func number(_ path: RemotePath) throws -> UInt64 {
        try #require(Layout.numbered(path.components[3])).number
    }

    @Test func aGapIsToldAtTheFirstLook() async throws {
        let pair = Pair()
        let (missing, bytes) = try await gap(pair)
        let expected = [
            AwaitedSegment(
                device: pair.family.devices[0], sequence: try number(missing), last: try number(missing) + 1,
                isFollowed: true)
        ]
        for look in 1...4 {
            let report = try await pair.sync(1)
            #expect(report.awaited == expected, "look \(look)")
            // The warning is for what lasts.
            #expect(report.withheld.isEmpty == (look < 3), "look \(look)")
        }
        pair.setView(1, pair.view(1).merging([missing: bytes]) { $1 })
        let report = try await pair.sync(1)
        #expect(report.awaited.isEmpty && report.pulledSegments == 2)
        #expect(pair.tree(1) == ["mail": "two"])
    }

    /// A look that goes by the hints tells it, too, and so does a push after it.
    @Test func aShortLookTellsIt() async throws {
        let pair = Pair()
        let engine = pair.engine(1)
        try pair.make("mail", "secret\n", on: 0)
        for device in [0, 1, 0] { try await pair.sync(device) }
        _ = try await engine.sync()
        for text in ["one", "two"] {
            try pair.write(text, to: "mail", on: 0)
            try await pair.sync(0)
        }
        let paths = pair.segments(of: 0, in: pair.view(1))
        pair.setView(1, pair.view(1).filter { $0.key != paths[paths.count - 2] })
        #expect(try await engine.sync().awaited.map(\.sequence) == [number(paths[paths.count - 2])])
        try pair.make("other", "x", on: 1)
        #expect(try await engine.push().awaited.count == 1)
    }

    /// A segment that builds on another device's, which does not come.
    @Test func aMissingCauseIsTold() async throws {
        let pair = Pair(devices: 3)
        try pair.make("mail", "secret\n", on: 0)
        for _ in 0..<3 { for device in 0..<3 { try await pair.sync(device) } }
        try pair.write("cause", to: "mail", on: 0)
        for device in [0, 1] { try await pair.sync(device) }
        try pair.write("effect", to: "mail", on: 1)
        try await pair.sync(1)
        let cause = try #require(pair.segments(of: 0, in: pair.view(2)).last)
        pair.setView(2, pair.view(2).filter { $0.key != cause })
        let report = try await pair.sync(2)
        #expect(report.waiting == 1)
        #expect(report.awaited.map(\.device) == [pair.family.devices[0]])
        #expect(try report.awaited.map(\.sequence) == [number(cause)])
        #expect(report.awaited.first?.isFollowed == false)
    }

    /// Names of a device that nobody knows say nothing.
    @Test func attack16_namesOfStrangersAreNotWaitedFor() async throws {
        let pair = Pair()
        try pair.make("mail", "secret\n", on: 0)
        for device in [0, 1, 0, 1] { try await pair.sync(device) }
        let stranger = Identifier(low: 77, high: 77)
        let position = LogPosition(sequence: 9, hash: stranger, lamport: 1)
        pair.setView(
            1,
            pair.view(1).merging([
                Layout.segment(stranger, 5, stranger): [1, 2, 3], Layout.head(stranger): Hint.bytes(position),
            ]) { $1 })
        #expect(try await pair.sync(1).awaited.isEmpty)
    }
}
