import CSodium
import Testing

@testable import Sealing

/// Long pieces go through OpenSSL: the same bytes as libsodium makes, and refused where libsodium would refuse them.
@Suite struct LongPieceTests {
    private static let counts = [4095, 4096, 4097, 8192 + 17, 65_536, 1_048_576 + 3]

    private static let secret = [UInt8](0..<32)
    private let key = SealingKey(SecretBytes(Self.secret))
    private let place = AssociatedData(type: 5, vault: (1, 2), epoch: 3, record: (4, 5), version: 6, index: 7, count: 8)

    private static func plain(_ count: Int) -> [UInt8] { (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 131 >> 3) } }

    /// As libsodium seals it: the ciphertext and, behind it, the tag.
    private func asLibsodium(_ plain: [UInt8], _ seal: Seal) -> [UInt8] {
        var sealed = [UInt8](repeating: 0, count: plain.count + 16)
        let data = unsafe withUnsafeBytes(of: place.words) { unsafe [UInt8]($0) }
        let nonce = [UInt8](seal.bytes[..<24])
        let status = unsafe crypto_aead_xchacha20poly1305_ietf_encrypt(
            &sealed, nil, plain, UInt64(plain.count), data, UInt64(data.count), nil, nonce, Self.secret)
        #expect(status == 0)
        return sealed
    }

    /// Whether OpenSSL does it by itself, libsodium left out.
    private func isServed(_ count: Int) -> Bool {
        let plain = Self.plain(count)
        var (cipher, tag) = ([UInt8](repeating: 0, count: count), [UInt8](repeating: 0, count: 16))
        return unsafe plain.withUnsafeBytes { plain in
            unsafe cipher.withUnsafeMutableBytes { cipher in
                unsafe tag.withUnsafeMutableBytes { tag in
                    unsafe withUnsafeBytes(of: place.words) { data in
                        unsafe [UInt8](0..<24).withUnsafeBytes { nonce in
                            unsafe OpenSSL.encrypt(plain, data, key: Self.secret, nonce: nonce, into: cipher, tag: tag)
                        }
                    }
                }
            }
        }
    }

    @Test(arguments: counts) func sameBytesAsLibsodium(_ count: Int) {
        let plain = Self.plain(count)
        let (seal, cipher) = key.sealed(plain, place)
        #expect(cipher + seal.bytes[24...] == asLibsodium(plain, seal))
        #expect(key.opened(cipher, seal, place) == plain)
        #expect(isServed(count) == (count >= 4096), "short ones are left to libsodium, long ones are not")
    }

    /// Attack 10. Nothing of it is handed out, not even what was not changed.
    @Test(arguments: counts) func changedPiecesAreRefused(_ count: Int) {
        let (seal, cipher) = key.sealed(Self.plain(count), place)
        func isRefused(_ cipher: [UInt8], _ seal: Seal, _ place: AssociatedData) -> Bool {
            var plain = [UInt8](repeating: 9, count: cipher.count)
            let opens = unsafe plain.withUnsafeMutableBytes { target in
                unsafe cipher.withUnsafeBytes { unsafe key.open($0, seal, place, into: target) }
            }
            return !opens && plain.allSatisfy { $0 == 0 || $0 == 9 }
        }
        for offset in [0, 1, 63, 64, 4094, count / 2, count - 17, count - 1] {
            var changed = cipher
            changed[offset] ^= 0x10
            #expect(isRefused(changed, seal, place), "byte \(offset)")
        }
        #expect(isRefused(Array(cipher.dropLast()), seal, place))
        #expect(isRefused(cipher + [0], seal, place))
        for bit in [0, 17, 63] {
            var others = [Seal](repeating: seal, count: 5)
            others[0].nonce.0 ^= 1 << UInt64(bit)
            others[1].nonce.1 ^= 1 << UInt64(bit)
            others[2].nonce.2 ^= 1 << UInt64(bit)
            others[3].tag.0 ^= 1 << UInt64(bit)
            others[4].tag.1 ^= 1 << UInt64(bit)
            for other in others { #expect(isRefused(cipher, other, place)) }
        }
        var elsewhere = place
        elsewhere.words.6 ^= 1
        #expect(isRefused(cipher, seal, elsewhere))
        let other = SealingKey(SecretBytes([UInt8](1...32)))
        #expect(other.opened(cipher, seal, place) == nil)
        #expect(!isRefused(cipher, seal, place))
    }

    /// Chunks are opened where they were read.
    @Test(arguments: counts) func opensInPlace(_ count: Int) {
        let (seal, cipher) = key.sealed(Self.plain(count), place)
        var bytes = cipher
        let opens = unsafe bytes.withUnsafeMutableBytes {
            unsafe key.open(UnsafeRawBufferPointer($0), seal, place, into: $0)
        }
        #expect(opens && bytes == Self.plain(count))
        bytes = cipher
        bytes[count / 3] ^= 1
        let opensChanged = unsafe bytes.withUnsafeMutableBytes {
            unsafe key.open(UnsafeRawBufferPointer($0), seal, place, into: $0)
        }
        #expect(!opensChanged)
    }

    @Test func threadsDoNotDisturbEachOther() async {
        let (key, place) = (key, place)
        await withTaskGroup(of: Bool.self) { group in
            for number in 0..<8 {
                group.addTask {
                    (0..<100).allSatisfy { round in
                        let plain = [UInt8](repeating: UInt8(number * 16 + round % 16), count: 4096 + 64 * round)
                        let (seal, cipher) = key.sealed(plain, place)
                        return key.opened(cipher, seal, place) == plain
                    }
                }
            }
            for await isRight in group { #expect(isRight) }
        }
    }
}
