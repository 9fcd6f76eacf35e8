import Format
import Foundation
import Sealing
import TestSupport
import Testing
import Vault

@testable import Sync

/// What the document says byte by byte, written down once for two implementations: `Tests/Reader` computes the same from the
/// same file.
@Suite struct VectorTests {
    private struct Vectors: Decodable {
        var accountKey: String
        var blobs: [Blob]
        var copies: [Copied]
        var kept: [Kept]
        var hints: [Hinted]
        var merges: [Merged]
        var states: [Encoded]
        var parts: [Encoded]

        struct Blob: Decodable { var slot: Int64, name: String, oldName: String }
        struct Copied: Decodable {
            var lineage: String, clock: UInt64, device: String, deviceName: String?, name: String, seconds: Int64
            var entry: String, copy: String, copyName: String
        }
        struct Kept: Decodable { var entry: String, lineage: String, kept: String }
        struct Hinted: Decodable { var text: String, sequence: UInt64?, hash: String? }
        struct Merged: Decodable { var base: String, left: String, right: String, merged: String? }
        struct Encoded: Decodable { var bytes: String }
    }

    private let vectors: Vectors

    init() throws {
        let file = URL(filePath: Program.root).appending(path: "Tests/Reader/vectors.json")
        vectors = try JSONDecoder().decode(Vectors.self, from: Data(contentsOf: file))
    }

    private func bytes(_ hexadecimal: String) -> [UInt8] {
        let digits = Array(hexadecimal.utf8)
        return stride(from: 0, to: digits.count, by: 2).map {
            UInt8(String(decoding: digits[$0..<($0 + 2)], as: UTF8.self), radix: 16) ?? 0
        }
    }

    private func array(_ buffer: borrowing PlainBuffer) -> [UInt8] {
        buffer.withBytes { bytes in unsafe bytes.withUnsafeBytes { unsafe [UInt8]($0) } }
    }

    private func identifier(_ hexadecimal: String) throws -> Identifier {
        try #require(Identifier(hexadecimal: Substring(hexadecimal)))
    }

    @Test func namesOfBlobs() throws {
        let family = Family.eight
        let key = AccountKey(copying: unsafe SecretBytes(copying: bytes(vectors.accountKey).span.bytes), epoch: 1)
        let keys = SyncKeys(
            vault: family.vault, device: family.devices[0], genesis: family.genesis, accountKey: key,
            signer: DeviceKeys())
        for vector in vectors.blobs {
            #expect(keys.blobName(vector.slot).hexadecimal == vector.name)
            #expect(keys.oldBlobName(vector.slot).hexadecimal == vector.oldName)
        }
        #expect(!vectors.blobs.isEmpty)
    }

    @Test func copiesOfConflicts() throws {
        for vector in vectors.copies {
            let device = try identifier(vector.device)
            let copy = Copy(of: try identifier(vector.lineage), Stamp(lamport: vector.clock, device: device))
            #expect(copy.entry.hexadecimal == vector.entry)
            #expect(copy.lineage.hexadecimal == vector.copy)
            let names = vector.deviceName.map { [device: Array($0.utf8)] } ?? [:]
            let naming = ConflictNaming(devices: names, date: "2000-01-01")
            let name = naming.name(
                Array(vector.name.utf8), copy: copy.entry, by: device,
                saved: Timestamp(seconds: vector.seconds, nanoseconds: 0))
            #expect(String(decoding: name, as: UTF8.self) == vector.copyName)
        }
        for vector in vectors.kept {
            let kept = Identifier.ofKept(try identifier(vector.entry), try identifier(vector.lineage))
            #expect(kept.hexadecimal == vector.kept)
        }
        #expect(!vectors.copies.isEmpty && !vectors.kept.isEmpty)
    }

    @Test func hints() throws {
        for vector in vectors.hints {
            let hint = Hint(Array(vector.text.utf8), tag: nil)
            #expect(hint?.sequence == vector.sequence, "\(vector.text)")
            #expect(hint?.hash.hexadecimal == vector.hash)
            guard let hint else { continue }
            let position = LogPosition(sequence: hint.sequence, hash: hint.hash, lamport: 0)
            #expect(Hint.bytes(position) == Array(vector.text.utf8))
        }
        #expect(vectors.hints.contains { $0.sequence != nil } && vectors.hints.contains { $0.sequence == nil })
    }

    @Test func mergesOfFields() {
        func buffer(_ text: String) -> PlainBuffer {
            var buffer = PlainBuffer(capacity: 64)
            buffer.append(bytes: Array(text.utf8))
            return buffer
        }
        for vector in vectors.merges {
            let merged = FieldMerge.merge(base: buffer(vector.base), buffer(vector.left), buffer(vector.right))
            var text: String?
            if let merged {
                text = String(decoding: array(merged), as: UTF8.self)
            }
            #expect(text == vector.merged, "\(vector)")
        }
        #expect(vectors.merges.contains { $0.merged != nil } && vectors.merges.contains { $0.merged == nil })
    }

    /// Read, and written again the same.
    @Test func states() throws {
        let ring = Family.eight.ring(of: MemoryReplica(device: .none, top: .none))
        for vector in vectors.states {
            let state = try SyncState(decoding: bytes(vector.bytes), ring: ring)
            #expect(state.encoded == bytes(vector.bytes))
        }
        #expect(!vectors.states.isEmpty)
    }

    @Test func partsOfSnapshots() throws {
        for vector in vectors.parts {
            var sink = PlainBuffer(capacity: 256)
            try unsafe SnapshotPart(decoding: bytes(vector.bytes).span.bytes).encode(into: &sink)
            #expect(array(sink) == bytes(vector.bytes))
        }
        #expect(!vectors.parts.isEmpty)
    }
}
