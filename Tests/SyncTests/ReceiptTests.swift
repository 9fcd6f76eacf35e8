import Format
import Sealing
import Synchronization
import Testing

@testable import Sync

/// Receipts: a device that reads and has nothing to write says so, in one small object.
@Suite struct ReceiptTests {
    /// Two devices that know each other, with nothing left to do.
    private func settled() async throws -> Pair {
        let pair = Pair()
        try pair.make("mail", "secret\n", on: 0)
        for device in [0, 1, 0, 1, 0] { try await pair.sync(device) }
        return pair
    }

    private func isBehind(_ pair: Pair, _ other: Int, to device: Int) async throws -> Bool {
        let status = try await pair.engine(device).status()
        return try #require(status.devices.first { $0.identifier == pair.family.devices[other] }).isBehind
    }

    private func receipt(of device: Int, in pair: Pair) -> RemotePath { Layout.receipt(pair.family.devices[device]) }

    @Test func aDeviceThatHasReadEverythingIsNotBehind() async throws {
        let pair = try await settled()
        try pair.write("newer", to: "mail", on: 0)
        try await pair.sync(0)
        #expect(try await isBehind(pair, 1, to: 0), "it has not read yet")
        let segments = pair.segments(of: 1, in: pair.view(1)).count
        try await pair.sync(1)
        try await pair.sync(0)
        #expect(try await !isBehind(pair, 1, to: 0))
        #expect(pair.segments(of: 1, in: pair.view(1)).count == segments, "its log is as long as before")
    }

    /// One that is lost stays behind, however often the others look.
    @Test func aDeviceThatReadsNothingStaysBehind() async throws {
        let pair = try await settled()
        try pair.write("newer", to: "mail", on: 0)
        for _ in 0..<5 { try await pair.sync(0) }
        #expect(try await isBehind(pair, 1, to: 0))
    }

    /// Reading costs nothing; what was read until things are quiet costs one object, and quiet costs nothing.
    @Test func manyReadsAreAcknowledgedAtOnce() async throws {
        let pair = try await settled()
        let (one, other) = (pair.engine(0), pair.engine(1))
        _ = try await one.sync()
        _ = try await other.sync()
        let path = receipt(of: 1, in: pair)
        let before = pair.view(1)[path]
        for number in 0..<10 {
            try pair.write("edit \(number)", to: "mail", on: 0)
            _ = try await one.push()
            pair.deliver()
            #expect(try await other.sync().pulledSegments == 1)
            #expect(pair.view(1)[path] == before)
        }
        #expect(await other.owesReceipt)
        try await other.acknowledge()
        let after = try #require(pair.view(1)[path])
        #expect(after != before && after.count <= 512)
        #expect(await !other.owesReceipt)
        let calls = pair.remotes[1].calls.withLock { $0 }
        try await other.acknowledge()
        #expect(pair.remotes[1].calls.withLock { $0 } == calls)
        // One listing tells of it, and no whole look.
        pair.deliver()
        #expect(try await !one.hasNews())
        #expect(try await !isBehind(pair, 1, to: 0))
    }

    /// Nobody answers a receipt.
    @Test func theyEnd() async throws {
        let pair = Pair(devices: 3)
        try pair.make("mail", "secret\n", on: 0)
        for _ in 0..<4 { for device in 0..<3 { try await pair.sync(device) } }
        let before = pair.view(0)
        for _ in 0..<4 { for device in 0..<3 { try await pair.sync(device) } }
        #expect(pair.view(0) == before)
        for device in 0..<3 {
            for other in 0..<3 where other != device { #expect(try await !isBehind(pair, other, to: device)) }
        }
    }

    /// What is written says what was read, and needs no receipt besides.
    @Test func whoWritesOwesNone() async throws {
        let pair = try await settled()
        try pair.write("from 0", to: "mail", on: 0)
        try await pair.sync(0)
        let engine = pair.engine(1)
        try pair.make("other", "x", on: 1)
        _ = try await engine.sync()
        try pair.make("more", "x", on: 1)
        _ = try await engine.push()
        #expect(await !engine.owesReceipt)
        pair.deliver()
        try await pair.sync(0)
        #expect(try await !isBehind(pair, 1, to: 0))
    }

    /// Attack 14: an old receipt that is put back makes nobody look behind who is not, and nobody look ahead.
    @Test func attack14_anOldReceiptChangesNothing() async throws {
        let pair = try await settled()
        let path = receipt(of: 1, in: pair)
        try pair.write("newer", to: "mail", on: 0)
        for device in [0, 1] { try await pair.sync(device) }
        let old = try #require(pair.view(0)[path])
        try pair.write("newest", to: "mail", on: 0)
        for device in [0, 1, 0] { try await pair.sync(device) }
        pair.setView(0, pair.view(0).merging([path: old]) { $1 })
        try await pair.sync(0)
        #expect(try await !isBehind(pair, 1, to: 0))
        try pair.write("unread", to: "mail", on: 0)
        try await pair.sync(0)
        #expect(try await isBehind(pair, 1, to: 0))
    }

    /// Attack 14: whoever can write at the remote cannot say that a device has read; nor can another member.
    @Test(arguments: ["bytes", "other's", "member", "flipped"])
    func attack14_aForgedReceiptIsNone(_ what: String) async throws {
        let pair = Pair(devices: 3)
        try pair.make("mail", "secret\n", on: 0)
        for _ in 0..<3 { for device in 0..<3 { try await pair.sync(device) } }
        try pair.write("newer", to: "mail", on: 0)
        for device in [0, 2, 0] { try await pair.sync(device) }
        #expect(try await isBehind(pair, 1, to: 0))
        #expect(try await !isBehind(pair, 2, to: 0))
        let own = try #require(pair.view(0)[receipt(of: 2, in: pair)])
        var forged: [UInt8]
        switch what {
        case "bytes": forged = [UInt8](repeating: 0x41, count: 300)
        case "other's": forged = own
        case "flipped":
            forged = own
            forged[forged.count / 2] ^= 1
        default:
            // Device 2 has all keys but the other's signing key.
            var seen = VersionVector()
            seen[pair.family.devices[0]] = LogPosition(sequence: 99, hash: .none, lamport: 99)
            var plain = PlainBuffer(capacity: 512)
            ReceiptRecord(seen: seen).encode(into: &plain)
            plain.resize(to: 256)
            let header = SignedObject.Header(epoch: 1, device: pair.family.devices[1].pair, sequence: 0)
            let (keys, ring) = (pair.family.keys[2], pair.family.ring(of: pair.replicas[2]))
            forged = plain.withBytes {
                SignedObject.make(
                    .receipt, header, $0, key: ring.current.keys.segment, vault: keys.vault.pair, signer: keys.signer)
            }
        }
        pair.setView(0, pair.view(0).merging([receipt(of: 1, in: pair): forged]) { $1 })
        let report = try await pair.sync(0)
        #expect(report.damaged.isEmpty)
        #expect(try await isBehind(pair, 1, to: 0))
    }
}
