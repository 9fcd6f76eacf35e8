internal import CSodium

/// A device's own keys: Ed25519 signs what it writes, X25519 receives what is sealed for it.
public struct DeviceKeys: ~Copyable, Sendable {
    /// The two seeds, 64 bytes: what the store seals.
    public let secret: SecretBytes

    public init() {
        secret = SecretBytes(random: 64)
    }

    public init(secret: consuming SecretBytes) {
        self.secret = secret
    }

    /// Ed25519 then X25519, 64 bytes.
    public var publicKeys: [UInt8] {
        SigningSeed.publicKey(secret, offset: 0) + boxKey
    }

    private var boxKey: [UInt8] {
        var box = [UInt8](repeating: 0, count: 32)
        var hidden = SecretBytes(count: 32)
        unsafe secret.withPointer { seed in
            unsafe hidden.withMutablePointer { hidden in _ = unsafe crypto_box_seed_keypair(&box, hidden, seed + 32) }
        }
        return box
    }

    /// An Ed25519 signature, 64 bytes.
    public func sign(_ message: [UInt8]) -> [UInt8] { SigningSeed.sign(message, secret, offset: 0) }

    /// What somebody has sealed for this device; nil where it was for another one, or was changed.
    func open(box: [UInt8]) -> SecretBytes? {
        guard box.count == SealedBox.size else { return nil }
        var publicKey = [UInt8](repeating: 0, count: 32)
        var hidden = SecretBytes(count: 32)
        var payload = SecretBytes(count: 32)
        let failed = unsafe secret.withPointer { seed in
            unsafe hidden.withMutablePointer { hidden in
                unsafe payload.withMutablePointer { payload in
                    _ = unsafe crypto_box_seed_keypair(&publicKey, hidden, seed + 32)
                    return unsafe crypto_box_seal_open(payload, box, UInt64(box.count), publicKey, hidden)
                }
            }
        }
        guard failed == 0 else { return nil }
        return payload
    }
}

/// 32 bytes that only one device can open: libsodium's sealed box (an X25519 key of this box alone, XSalsa20-Poly1305).
/// Who has sealed it, it does not say.
enum SealedBox {
    static let size = 80

    /// - Parameter recipient: an X25519 key.
    static func seal(_ payload: borrowing SecretBytes, for recipient: [UInt8]) -> [UInt8] {
        var box = [UInt8](repeating: 0, count: size)
        guard payload.count == 32, recipient.count == 32 else { return box }
        Sodium.prepare()
        unsafe payload.withPointer { _ = unsafe crypto_box_seal(&box, $0, 32, recipient) }
        return box
    }
}

/// The key that admits and revokes devices; wrapped under the password and the account key together.
public struct AdminKey: ~Copyable, Sendable {
    private let seed: SecretBytes

    public init() {
        seed = SecretBytes(random: 32)
    }

    /// Ed25519, 32 bytes.
    public var publicKey: [UInt8] { SigningSeed.publicKey(seed, offset: 0) }

    public func sign(_ message: [UInt8]) -> [UInt8] { SigningSeed.sign(message, seed, offset: 0) }

    public func wrap(
        password: borrowing MasterPassword, parameters: KDFParameters, vault: (UInt64, UInt64),
        accountKey: AccountKey
    ) throws(WrapError) -> [UInt8] {
        let context = accountKey.adminContext()
        return try Wrap.seal(
            seed, password: password, parameters: parameters, purpose: .admin, vault: vault,
            epoch: accountKey.epoch, context: context)
    }

    /// The admin key of a wrap. Needs the password, and an account key that is there already.
    public init(
        wrap: RawSpan, password: borrowing MasterPassword, vault: (UInt64, UInt64), accountKey: AccountKey
    ) throws(WrapError) {
        seed = unsafe try Wrap.open(
            wrap, password: password, purpose: .admin, vault: vault, context: accountKey.adminContext().span.bytes)
    }
}

extension AccountKey {
    /// A one-way image of the account key: binds the admin wrap to it.
    fileprivate func adminContext() -> [UInt8] {
        let image = Digest.keyed(subkey(.admin), Array("coffer.admin.ctx".utf8))
        return image.withBytes { unsafe $0.withUnsafeBytes { unsafe [UInt8]($0) } }
    }
}

/// Ed25519 over seeds (RFC 8032).
enum SigningSeed {
    static func publicKey(_ seeds: borrowing SecretBytes, offset: Int) -> [UInt8] {
        var key = [UInt8](repeating: 0, count: 32)
        var hidden = SecretBytes(count: 64)
        unsafe seeds.withPointer { seed in
            unsafe hidden.withMutablePointer { hidden in
                _ = unsafe crypto_sign_seed_keypair(&key, hidden, seed + offset)
            }
        }
        return key
    }

    static func sign(_ message: [UInt8], _ seeds: borrowing SecretBytes, offset: Int) -> [UInt8] {
        var key = [UInt8](repeating: 0, count: 32)
        var hidden = SecretBytes(count: 64)
        var signature = [UInt8](repeating: 0, count: 64)
        unsafe seeds.withPointer { seed in
            unsafe hidden.withMutablePointer { hidden in
                _ = unsafe crypto_sign_seed_keypair(&key, hidden, seed + offset)
                _ = unsafe crypto_sign_detached(&signature, nil, message, UInt64(message.count), hidden)
            }
        }
        return signature
    }

    static func verify(_ signature: [UInt8], _ message: [UInt8], key: [UInt8]) -> Bool {
        guard signature.count == 64, key.count == 32 else { return false }
        return unsafe crypto_sign_verify_detached(signature, message, UInt64(message.count), key) == 0
    }
}
