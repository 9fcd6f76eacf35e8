import Format
import Foundation
import Sealing
import SystemPackage
import Testing

@testable import Vault

/// The bytes of a backup, written down apart from the code: one of today can be restored tomorrow.
@Suite struct BackupFormatTests {
    private func hexadecimal(_ bytes: [UInt8]) -> String {
        bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }

    private let identifier = Identifier(low: 0x0807_0605_0403_0201, high: 0x100F_0E0D_0C0B_0A09)

    /// By Python's hashlib.blake2b(digest_size=32), from the table of the format document.
    @Test func golden() throws {
        let fixture = try Fixture()
        let path = fixture.directory.appending("backup")
        let file = try FileDescriptor.open(
            path, .writeOnly, options: [.create, .exclusiveCreate], permissions: .ownerReadWrite)
        var writer = try BackupWriter(file, .init(vault: identifier, seconds: 3, bytes: 5)) { _, _ in true }
        let parts: [(BackupPiece.Kind, UInt64, [UInt8])] = [
            (.database, 0, Array("abc".utf8)), (.journal, 1 << 20, Array("d".utf8)),
            (.chunks, 0x10000, Array("e".utf8)),
        ]
        for (kind, offset, bytes) in parts {
            try unsafe writer.add(kind, at: offset, count: bytes.count) { unsafe $0.copyBytes(from: bytes) }
        }
        try writer.finish()
        try file.close()
        let written = [UInt8](try Data(contentsOf: URL(fileURLWithPath: path.string)))
        #expect(hexadecimal(written) == Self.goldenBackup)
        var read: [[UInt8]] = []
        let reader = try BackupReader(path)
        try unsafe reader.readAll(progress: { _, _ in true }) { _, bytes in read.append(unsafe [UInt8](bytes)) }
        #expect(read == parts.map(\.2) && reader.summary.vault == identifier && reader.summary.seconds == 3)
    }

    private static let goldenBackup =
        "43464241434b555001000000000000000102030405060708090a0b0c0d0e0f1003000000000000000500000000000000"
        + "00000000000000000000000000000000db99e7f405fab2d10698d15f2ec0c870db0c4bbce8573ab0a6262eb0cdbe76e0"
        + "010000000300000000000000000000006162630a5fc18302dfb3688c7437633fd8dcc9f634f813e7158194ca706063cf"
        + "7216580200000001000000000010000000000064de9cb22d987e76584116943e054b716faf337da63f20140fe819adc3"
        + "0d36443403000000010000000000010000000000659395cd957f63e18a9bf65f05f0d84d6cd3cfa54a7d5b4c38eaf420"
        + "8e3f5fdeb3ff000000000000000300000000000000f11a46fa647c547cfc2aba3cf6deba6265a4a8cf8b84124b2be4c8"
        + "875a90af66"

    /// Pieces that no program writes, each with a digest that is right: kind, length, offset.
    @Test(
        arguments: [
            [[1, 4, 1]], [[1, 4, 0], [1, 4, 8]], [[1, 4, 0], [1, 4, 2]], [[3, 4, 8], [3, 4, 4]], [[2, 4, 4 << 20]],
            [[3, 4, 1 << 56]], [[5, 4, 0]], [[0, 4, 0]], [[1, 0, 0]],
        ] as [[[UInt64]]])
    func piecesOutOfOrder(_ pieces: [[UInt64]]) throws {
        let fixture = try Fixture()
        let total = pieces.reduce(0) { $0 + $1[1] }
        var bytes = BackupHeader(.init(vault: identifier, seconds: 0, bytes: total)).encoded
        var digest = Array(bytes[64...])
        var all = pieces
        all.append([255, 0, UInt64(pieces.count)])
        for piece in all {
            var part: [UInt8] = [UInt8(piece[0]), 0, 0, 0]
            part.append(integer: UInt32(piece[1]))
            part.append(integer: piece[2])
            part += [UInt8](repeating: 7, count: Int(piece[1]))
            let covered = digest + part
            digest = unsafe Digest.blake2b256(covered.span.bytes)
            bytes += part
            bytes += digest
        }
        try fixture.write(bytes)
        guard case .damaged? = Backup.refusal(fixture.file) else {
            Issue.record("read")
            return
        }
    }
}
