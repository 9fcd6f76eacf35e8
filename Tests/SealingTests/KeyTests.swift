import Testing

@testable import Sealing

/// What is made of the account key, and what proves it.
@Suite struct KeyTests {
    private let genesis = [UInt8](0x40..<0x60)

    @Test func subkeysDiffer() {
        let key = AccountKey.ofVectors
        let keys = SubkeyLabel.allCases.map { key.subkey($0).array }
        #expect(Set(keys).count == SubkeyLabel.allCases.count)
        #expect(SubkeyLabel.allCases.allSatisfy { $0.rawValue.utf8.count == 16 })
        #expect(!keys.contains(Vectors.bytes(Vectors.accountKey)))
    }

    @Test func newKeysDiffer() {
        #expect(!AccountKey(epoch: 1).isSame(as: AccountKey(epoch: 1)))
    }

    // MARK: Canary

    private func proves(
        _ canary: [UInt8], _ key: AccountKey = .ofVectors, vault: (UInt64, UInt64) = Vectors.vault,
        genesis: [UInt8] = [UInt8](0x40..<0x60)
    ) -> Bool {
        Canary.verify(canary.raw, accountKey: key, vault: vault, genesis: genesis.raw)
    }

    @Test func canaryGolden() {
        let canary = Canary.make(accountKey: .ofVectors, vault: Vectors.vault, genesis: genesis.raw)
        #expect(canary == Vectors.bytes(Vectors.canary))
        #expect(proves(canary))
    }

    /// It proves key, vault, epoch and genesis record, each by itself.
    @Test func canaryIsBound() {
        let canary = Vectors.bytes(Vectors.canary)
        let (low, high) = Vectors.vault
        let later = AccountKey(copying: SecretBytes(Vectors.bytes(Vectors.accountKey)), epoch: 4)
        var other = genesis
        other[31] ^= 1
        #expect(!proves(canary, AccountKey(epoch: 3)))
        #expect(!proves(canary, later))
        #expect(!proves(canary, vault: (low, high ^ 1)))
        #expect(!proves(canary, vault: (low ^ 1, high)))
        #expect(!proves(canary, genesis: other))
    }

    @Test func canaryWithAFlippedByte() {
        let canary = Vectors.bytes(Vectors.canary)
        for offset in canary.indices {
            var changed = canary
            changed[offset] ^= 0x10
            #expect(!proves(changed))
            #expect(!proves(Array(canary[..<offset])))
        }
    }

    // MARK: Genesis

    @Test func genesisGolden() {
        let genesis = Vectors.bytes(Vectors.genesis)
        #expect(Genesis.verify(genesis))
        #expect(Genesis.fingerprint(genesis) == Vectors.fingerprint)
        let device = DeviceKeys(secret: SecretBytes([UInt8](32..<96)))
        #expect(device.publicKeys == Array(genesis[72..<136]))
        // Ed25519 is deterministic: the same record is signed with the same bytes.
        #expect(device.sign(Array(genesis[..<136])) == Array(genesis[200...]))
    }

    @Test func genesisRoundTrip() {
        let genesis = Genesis.make(vault: (1, 2), admin: AdminKey(), device: (3, 4), deviceKeys: DeviceKeys())
        #expect(Genesis.verify(genesis))
        #expect(genesis.count == 264)
        let other = Genesis.make(vault: (1, 2), admin: AdminKey(), device: (3, 4), deviceKeys: DeviceKeys())
        #expect(Genesis.fingerprint(genesis) != Genesis.fingerprint(other))
    }

    /// Each signature covers everything, so that a change anywhere breaks both or is one of them.
    @Test func genesisWithAFlippedByte() {
        let genesis = Vectors.bytes(Vectors.genesis)
        for offset in genesis.indices {
            var changed = genesis
            changed[offset] ^= 1
            #expect(!Genesis.verify(changed), "byte \(offset)")
            #expect(!Genesis.verify(Array(genesis[..<offset])))
            #expect(Genesis.fingerprint(changed) != Vectors.fingerprint)
        }
        #expect(!Genesis.verify(genesis + [0]))
    }

    /// Attack 7: neither half alone is enough.
    @Test func genesisNeedsBothSignatures() {
        let real = Vectors.bytes(Vectors.genesis)
        let body = Array(real[..<136])
        let stranger = DeviceKeys()
        #expect(!Genesis.verify(body + Array(real[136..<200]) + stranger.sign(body)))
        #expect(!Genesis.verify(body + stranger.sign(body) + Array(real[200...])))
    }

    @Test func fingerprintWords() {
        let words = Genesis.fingerprint(Vectors.bytes(Vectors.genesis))
        #expect(words.count == 6)
        #expect(words.allSatisfy { $0.wholeMatch(of: /([bdfghjklmnprstvz][aiou]){2}[bdfghjklmnprstvz]/) != nil })
    }

    // MARK: Secrets in memory

    @Test func secretBytes() {
        var secret = SecretBytes(count: 5)
        #expect(secret.array == [0, 0, 0, 0, 0])
        secret.withMutableBytes { $0.storeBytes(of: 7, toByteOffset: 2, as: UInt8.self) }
        #expect(secret.array == [0, 0, 7, 0, 0])
        #expect(secret.isEqual(to: SecretBytes([0, 0, 7, 0, 0])) == true)
        #expect(secret.isEqual(to: SecretBytes([0, 0, 7, 0, 1])) == false)
        #expect(secret.isEqual(to: SecretBytes([0, 0, 7, 0])) == false)
        #expect(SecretBytes(random: 32).isEqual(to: SecretBytes(random: 32)) == false)
        #expect(SecretBytes([]).array.isEmpty)
    }

    @Test func plainBuffer() {
        var buffer = PlainBuffer()
        buffer.append(UInt32(0x0403_0201))
        buffer.append([UInt8](repeating: 9, count: 200).raw)
        #expect(buffer.withBytes { $0.array } == [1, 2, 3, 4] + [UInt8](repeating: 9, count: 200))
        buffer.resize(to: 2)
        buffer.resize(to: 300)
        #expect(
            buffer.withBytes { $0.array } == [1, 2] + [UInt8](repeating: 0, count: 298), "what was cut off is gone")
    }
}
