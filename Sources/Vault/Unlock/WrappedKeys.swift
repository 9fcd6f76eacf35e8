internal import Format
public import Sealing

/// The vault's keys as they stand in the header: under the master password.
///
/// A value of its own, because deriving a key takes seconds, in which no lock is held and the vault may be closed:
/// ``Vault/Vault/wrappedKeys()`` reads them, ``Vault/Vault/replaceKeys(with:)`` writes them.
public struct WrappedKeys: Sendable {
    let header: Header
    let vault: Identifier

    /// The same account key and admin key under a new password, at the same cost.
    ///
    /// - Throws: `wrongPassword`, `parametersOutOfBounds`, `outOfMemory`.
    public func rewrapped(
        from old: borrowing MasterPassword, to new: borrowing MasterPassword
    ) throws(VaultError) -> WrappedKeys {
        var header = header
        do throws(WrapError) {
            let accountKey = try unwrap(old)
            let parameters = unsafe try Wrap.parameters(of: header[Header.unlockWrap].span.bytes)
            let admin = unsafe try AdminKey(
                wrap: header[Header.adminWrap].span.bytes, password: old, vault: vault.pair, accountKey: accountKey)
            header[Header.unlockWrap] = try accountKey.wrap(
                password: new, parameters: parameters, vault: vault.pair)
            header[Header.adminWrap] = try admin.wrap(
                password: new, parameters: parameters, vault: vault.pair, accountKey: accountKey)
        } catch {
            throw VaultError(error)
        }
        return WrappedKeys(header: header, vault: vault)
    }

    /// The account key, wrapped for the way to another device.
    ///
    /// - Returns: the kit's text.
    /// - Throws: `wrongPassword`, `parametersOutOfBounds`, `outOfMemory`.
    public func issueKit(
        password: borrowing MasterPassword, email: String, parameters: KDFParameters
    ) throws(VaultError) -> [UInt8] {
        do throws(WrapError) {
            let accountKey = try unwrap(password)
            return unsafe try Kit.issue(
                accountKey: accountKey, vault: vault.pair,
                genesis: Digest.blake2b256(header[Header.genesis].span.bytes), remote: "", password: password,
                email: email, parameters: parameters
            ).text
        } catch {
            throw VaultError(error)
        }
    }

    /// What unlocking costs.
    public func unlockParameters() throws(VaultError) -> KDFParameters {
        do throws(WrapError) {
            return unsafe try Wrap.parameters(of: header[Header.unlockWrap].span.bytes)
        } catch {
            throw VaultError(error)
        }
    }

    func unwrap(_ password: borrowing MasterPassword) throws(WrapError) -> AccountKey {
        let wrap = header[Header.unlockWrap]
        let key = unsafe try Wrap.open(
            wrap.span.bytes, password: password, purpose: .unlock, vault: vault.pair, context: [UInt8]().span.bytes)
        return unsafe AccountKey(copying: key, epoch: try Wrap.epoch(of: wrap.span.bytes))
    }
}
