import Format
import Sync
import Synchronization
import Testing

/// Looking at hints instead of logs, and the short way for one edit.
@Suite struct HintTests {
    private func calls(_ pair: Pair, _ device: Int) -> Int { pair.remotes[device].calls.withLock { $0 } }

    @Test func oneEditIsOneSegmentAndOneHint() async throws {
        let pair = Pair()
        try pair.make("mail", "secret\n", on: 0)
        let engine = pair.engine(0)
        _ = try await engine.sync()
        try pair.write("other", to: "mail", on: 0)
        let before = calls(pair, 0)
        let report = try await engine.push()
        #expect(report.pushedSegments == 1)
        #expect(calls(pair, 0) - before == 2)
        pair.deliver()
        try await pair.sync(1)
        #expect(pair.tree(1) == ["mail": "other"])
    }

    @Test func onePollIsOneListing() async throws {
        let pair = Pair()
        let (one, other) = (pair.engine(0), pair.engine(1))
        for engine in [one, other, one, other] {
            _ = try await engine.sync()
            pair.deliver()
        }
        _ = try await other.hasNews()
        var before = calls(pair, 1)
        let hasNews = try await other.hasNews()
        #expect(!hasNews)
        #expect(calls(pair, 1) - before == 1)
        try pair.make("mail", "secret\n", on: 0)
        _ = try await one.push()
        pair.deliver()
        let hasMore = try await other.hasNews()
        #expect(hasMore)
        before = calls(pair, 1)
        let report = try await other.sync()
        #expect(report.pulledSegments == 1)
        #expect(calls(pair, 1) - before <= 4, "no other log is listed")
        let hasRest = try await other.hasNews()
        #expect(!hasRest)
        #expect(pair.tree(1) == ["mail": "secret\n"])
    }

    /// A hint that is kept back or wrong hides nothing for good.
    @Test func hintsAreNotBelievedForEver() async throws {
        let pair = Pair()
        let (one, other) = (pair.engine(0), pair.engine(1))
        for engine in [one, other, one, other] {
            _ = try await engine.sync()
            pair.deliver()
        }
        let stale = pair.view(1).filter { $0.key.components[1] == "head" }
        try pair.make("mail", "secret\n", on: 0)
        _ = try await one.push()
        pair.deliver()
        pair.setView(1, pair.view(1).merging(stale) { _, old in old })
        var polls = 0
        while try await !other.hasNews(), polls < 100 { polls += 1 }
        #expect((1..<100).contains(polls))
        _ = try await other.sync()
        #expect(pair.tree(1) == ["mail": "secret\n"])
    }

    @Test func litterAmongTheHintsIsIgnored() async throws {
        let pair = Pair()
        try pair.make("mail", "secret\n", on: 0)
        try await pair.sync(0)
        var view = pair.view(1)
        for name in ["notes.txt", pair.family.devices[0].hexadecimal, String(repeating: "f", count: 32)] {
            view[try #require(RemotePath(["v1", "head", name]))] = Array("18446744073709551615.x\n".utf8)
        }
        pair.setView(1, view)
        try await pair.sync(1)
        #expect(pair.tree(1) == ["mail": "secret\n"])
    }

    /// A run that was called off goes on where it was.
    @Test func firstPushGoesOnAfterAnInterruption() async throws {
        let pair = Pair()
        for number in 0..<40 { try pair.make("entry \(number)", "secret \(number)", on: 0) }
        for patience in 4..<60 {
            pair.remotes[0].fail(after: patience, carryingOut: patience % 2 == 0)
            if (try? await pair.sync(0)) != nil { break }
        }
        pair.remotes[0].fail(after: .max, carryingOut: false)
        try await pair.sync(0)
        try await pair.sync(1)
        #expect(pair.tree(1).count == 40)
        #expect(pair.remote.contents.withLock { $0.rewrites.isEmpty && $0.twins.isEmpty })
    }
}
