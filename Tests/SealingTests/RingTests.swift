import Testing

@testable import Sealing

/// Account keys of several epochs.
@Suite struct RingTests {
    private let genesis = Vectors.bytes(Vectors.genesis)

    private func key(_ start: UInt8, _ epoch: UInt32) -> AccountKey {
        AccountKey(copying: SecretBytes([UInt8](start..<(start + 32))), epoch: epoch)
    }

    private var first: KeyRing { KeyRing(first: key(0x40, 1), vault: Vectors.vault, genesis: genesis) }

    private func ring(_ keys: AccountKey...) -> KeyRing {
        var ring = first
        for key in keys { ring.add(key, parents: [ring.links[0].name], origin: nil) }
        #expect(ring.links.count == keys.count + 1)
        return ring
    }

    private func descended(_ key: AccountKey, _ object: [UInt8]) -> KeyRing? {
        KeyRing(descendingFrom: key, object, vault: Vectors.vault, genesis: genesis)
    }

    // MARK: At the remote

    @Test func objectGolden() throws {
        let ring = ring(key(0x60, 2))
        #expect(ring.canaryObject(of: ring.current) == Vectors.bytes(RingVectors.second))
        let read = try #require(descended(key(0x60, 2), Vectors.bytes(RingVectors.second)))
        #expect(read == ring)
        #expect(read.first.isSame(as: key(0x40, 1)))
    }

    @Test func objectOfTheFirstEpochIsTheCanaryAlone() throws {
        let object = first.canaryObject(of: first.current)
        #expect(object.count == 64)
        #expect(descended(key(0x40, 1), object) == first)
    }

    @Test func mergeGolden() throws {
        var ring = ring(key(0x60, 2), key(0x80, 2))
        #expect(ring.heads.count == 2)
        let merge = KeyMerge(of: ring.heads.map(\.name))
        #expect(merge.bytes == Vectors.bytes(RingVectors.merge))
        #expect(KeyMerge(merge.bytes) == merge)
        let merged = try #require(ring.merged(merge.parents))
        ring.add(merged, parents: merge.parents, origin: nil)
        #expect(ring.current.isMerge && ring.current.epoch == 3 && ring.heads.count == 1)
        #expect(ring.canaryObject(of: ring.current) == Vectors.bytes(RingVectors.third))
        let read = try #require(descended(merged, Vectors.bytes(RingVectors.third)))
        #expect(read.links.count == 4)
        #expect(read.first.isSame(as: key(0x40, 1)))
    }

    /// Whoever was shut out by either rotation has one of the two keys, and that makes nothing.
    @Test func mergedKeyNeedsAllItsParts() throws {
        let both = ring(key(0x60, 2), key(0x80, 2))
        let parents = both.heads.map(\.name)
        #expect(ring(key(0x60, 2)).merged(parents) == nil)
        #expect(ring(key(0x80, 2)).merged(parents) == nil)
        let other = ring(key(0x60, 2), key(0x81, 2))
        let merged = try #require(both.merged(parents))
        #expect(try #require(other.merged(other.heads.map(\.name))).isSame(as: merged) == false)
        #expect(both.merged(parents.reversed())?.isSame(as: merged) == true)
    }

    @Test func attack05_objectOfAnotherEpochIsRefused() {
        let object = Vectors.bytes(RingVectors.second)
        #expect(descended(key(0x60, 1), object) == nil)
        #expect(descended(key(0x60, 3), object) == nil)
        #expect(descended(key(0x61, 2), object) == nil)
        #expect(descended(key(0x40, 1), object) == nil)
    }

    @Test func attack06_flippedByteOfTheObjectIsRefused() {
        let object = Vectors.bytes(RingVectors.second)
        for offset in object.indices {
            var changed = object
            changed[offset] ^= 0x10
            #expect(descended(key(0x60, 2), changed) == nil, "byte \(offset)")
            #expect(descended(key(0x60, 2), Array(object[..<offset])) == nil)
        }
        #expect(descended(key(0x60, 2), object + [0]) == nil)
        #expect(descended(key(0x60, 2), [UInt8](repeating: 0, count: KeyRing.objectLimit + 1)) == nil)
    }

    // MARK: In the store

    @Test func storedRoundTrip() throws {
        var ring = ring(key(0x60, 2))
        ring.note(KeyRing.Origin(device: (3, 4), sequence: 5), of: ring.current.name)
        var read = first
        let isLoaded = read.load(ring.stored)
        #expect(isLoaded)
        #expect(read == ring)
        #expect(read.current.origin == KeyRing.Origin(device: (3, 4), sequence: 5))
        var stranger = KeyRing(first: key(0x41, 1), vault: Vectors.vault, genesis: genesis)
        let isStrange = stranger.load(ring.stored)
        #expect(!isStrange)
        var changed = ring.stored
        changed[60] ^= 1
        let isChanged = read.load(changed)
        #expect(!isChanged && read == ring)
    }

    @Test func ringTakesOnlyWhatFollows() {
        let root = first.links[0].name
        let refused: [(UInt32, [KeyName])] = [
            (3, [root]), (1, [root]), (2, []), (2, [root, root]), (2, [KeyName(low: 1, high: 1)]),
        ]
        var ring = first
        for (epoch, parents) in refused {
            let isTaken = ring.add(key(0x60, epoch), parents: parents, origin: nil)
            #expect(!isTaken, "\(epoch) \(parents)")
        }
        for _ in 0..<2 { ring.add(key(0x60, 2), parents: [root], origin: nil) }
        #expect(ring.links.count == 2, "once is enough")
    }

    @Test func attack30_ringIsBounded() {
        var ring = first
        let root = ring.links[0].name
        for _ in 1..<KeyRing.limit { ring.add(AccountKey(epoch: 2), parents: [root], origin: nil) }
        #expect(ring.links.count == KeyRing.limit)
        let isTaken = ring.add(AccountKey(epoch: 2), parents: [root], origin: nil)
        #expect(!isTaken)
        #expect(ring.merged(ring.heads.prefix(KeyRing.parentLimit + 1).map(\.name)) == nil)
        let parents = (0...KeyRing.parentLimit).map { KeyName(low: UInt64($0), high: 0) }
        #expect(KeyMerge(KeyMerge(of: parents).bytes) == nil)
        #expect(KeyMerge(KeyMerge(of: Array(parents.dropLast())).bytes) != nil)
    }

    // MARK: Rotation

    private func rotation(_ bytes: [UInt8], admin: [UInt8] = Vectors.bytes(RingVectors.admin)) -> Rotation? {
        Rotation(bytes, vault: Vectors.vault, admin: admin)
    }

    @Test func rotationGolden() throws {
        let notice = try #require(rotation(Vectors.bytes(RingVectors.rotation)))
        let device = [UInt8](0x71...0x80)
        #expect(notice.epoch == 2 && notice.devices == [device] && notice.parents == [first.current.name])
        let keys = DeviceKeys(secret: SecretBytes([UInt8](32..<96)))
        #expect(notice.open(for: device, keys: keys, in: first)?.isSame(as: key(0x60, 2)) == true)
        #expect(notice.open(for: device, keys: DeviceKeys(), in: first) == nil)
        #expect(notice.open(for: [UInt8](0x70...0x7F), keys: keys, in: first) == nil)
    }

    @Test func attack07_rotationNeedsTheAdminKey() {
        let bytes = Vectors.bytes(RingVectors.rotation)
        #expect(rotation(bytes, admin: AdminKey().publicKey) == nil)
        #expect(Rotation(bytes, vault: (1, 2), admin: Vectors.bytes(RingVectors.admin)) == nil)
        for offset in bytes.indices {
            var changed = bytes
            changed[offset] ^= 1
            #expect(rotation(changed) == nil, "byte \(offset)")
            #expect(rotation(Array(bytes[..<offset])) == nil)
        }
        #expect(rotation(bytes + [0]) == nil)
    }

    /// A box that holds another key than the notice says.
    @Test func rotationWithAForeignBoxIsNotBelieved() throws {
        let admin = AdminKey()
        let keys = DeviceKeys()
        let device: (UInt64, UInt64) = (8, 9)
        let notice = Rotation(
            key(0x60, 2), in: first, for: [(device, keys.publicKeys)], seconds: 0, admin: admin)
        let other = Rotation(key(0x80, 2), in: first, for: [(device, keys.publicKeys)], seconds: 0, admin: admin)
        let name = Wrap.littleEndian(device.0) + Wrap.littleEndian(device.1)
        #expect(notice.open(for: name, keys: keys, in: first)?.isSame(as: key(0x60, 2)) == true)
        var body = Array(notice.bytes.dropLast(64))
        body.replaceSubrange(96..., with: other.bytes.dropLast(64)[96...])
        let mixed = try #require(
            Rotation(body + admin.sign(body), vault: Vectors.vault, admin: admin.publicKey))
        #expect(mixed.open(for: name, keys: keys, in: first) == nil)
    }

    // MARK: Blobs

    @Test func blobGolden() {
        let blob = [UInt8](0..<100)
        let ring = KeyRing(first: .ofVectors, vault: Vectors.vault, genesis: genesis)
        let slot: Int64 = 0x0102_0304_0506_0708
        let sealed = SealedBlob.seal(
            blob, slot: slot, hash: Digest.blake2b128(blob.raw), keys: ring.current.keys, vault: Vectors.vault)
        #expect(sealed == Vectors.bytes(RingVectors.blob), "the same at each try")
        #expect(SealedBlob.open(sealed, slot: slot, ring: ring) == blob)
        #expect(sealed.count == blob.count + SealedBlob.overhead)
    }

    @Test func attack08_blobInAnotherSlotDoesNotOpen() {
        let ring = KeyRing(first: .ofVectors, vault: Vectors.vault, genesis: genesis)
        let sealed = Vectors.bytes(RingVectors.blob)
        #expect(SealedBlob.open(sealed, slot: 1, ring: ring) == nil)
        for offset in sealed.indices {
            var changed = sealed
            changed[offset] ^= 1
            #expect(SealedBlob.open(changed, slot: 0x0102_0304_0506_0708, ring: ring) == nil, "byte \(offset)")
            #expect(SealedBlob.open(Array(sealed[..<offset]), slot: 0x0102_0304_0506_0708, ring: ring) == nil)
        }
    }

    /// Attack 18: other bytes have another nonce.
    @Test func attack18_blobNoncesDiffer() {
        let ring = ring(key(0x60, 2))
        var nonces = Set<[UInt8]>()
        for count in 1...4 as ClosedRange<UInt8> {
            for slot in 1...4 as ClosedRange<Int64> {
                for link in ring.links {
                    let blob = [UInt8](0..<count)
                    let sealed = SealedBlob.seal(
                        blob, slot: slot, hash: Digest.blake2b128(blob.raw), keys: link.keys, vault: Vectors.vault)
                    nonces.insert(Array(sealed[16..<40]))
                }
            }
        }
        #expect(nonces.count == 32)
    }

    @Test func attack22_blobOfALaterEpochNeedsItsKey() {
        let ring = ring(key(0x60, 2))
        let blob = [UInt8](0..<100)
        let sealed = SealedBlob.seal(
            blob, slot: 7, hash: Digest.blake2b128(blob.raw), keys: ring.current.keys, vault: Vectors.vault)
        #expect(SealedBlob.open(sealed, slot: 7, ring: ring) == blob)
        #expect(SealedBlob.open(sealed, slot: 7, ring: first) == nil)
    }
}
