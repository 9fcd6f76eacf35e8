import TestSupport
import Testing

/// A kit as whoever has had it in hands gives it on: changed, with a checksum that is right again. The layout is in
/// Sealing.md.
struct ForgedKit: CustomTestStringConvertible, Sendable {
    let testDescription: String
    /// What is done to the bytes in Python, where they are `kit`.
    let edit: String

    static let identifier = ForgedKit(
        testDescription: "identifier", edit: "kit = kit[:8] + bytes([kit[8] ^ 1]) + kit[9:]")
    static let epoch = ForgedKit(testDescription: "epoch", edit: "kit = kit[:40] + bytes([kit[40] + 1]) + kit[41:]")
    static let firstFormat = ForgedKit(
        testDescription: "made one of the first format", edit: "kit = kit[:4] + b'\\1' + kit[5:]")
    static let laterFormat = ForgedKit(
        testDescription: "of a later format", edit: "kit = kit[:4] + b'\\3' + kit[5:] + bytes(50)")

    /// With another address of the remote, in any bytes that Python has.
    static func remote(_ bytes: String) -> ForgedKit {
        ForgedKit(
            testDescription: "address \(bytes)",
            edit: "address = \(bytes); kit = kit[:240] + len(address).to_bytes(2, 'little') + address")
    }

    /// The text of the changed kit.
    func text(of kit: String, in home: TemporaryHome) throws -> String {
        let script = """
            import base64, hashlib, sys
            text = sys.stdin.read().strip()[8:]
            kit = base64.b32decode(text + '=' * (-len(text) % 8))[:-4]
            \(edit)
            whole = kit + hashlib.blake2b(kit, digest_size=32).digest()[:4]
            print('COFFER1:' + base64.b32encode(whole).decode().rstrip('='))
            """
        return try home.command("python3", ["-c", script], input: kit).run(expecting: 0).text
    }
}
