internal import Format
public import Sealing

/// The vault's keys as they stand in the header: under the master password.
///
/// A value of its own, because deriving a key takes seconds, in which no lock is held and the vault may be closed:
/// ``Vault/Vault/wrappedKeys()`` reads them, ``Vault/Vault/replaceKeys(with:)`` writes them.
public struct WrappedKeys: Sendable {
    let header: Header
    let vault: Identifier
    /// The account keys of later epochs, as the store has them; nil where there are none.
    let later: [UInt8]?

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
        return WrappedKeys(header: header, vault: vault, later: later)
    }

    /// The account key of the latest epoch, wrapped for the way to another device.
    ///
    /// - Parameter remote: the remote's address, without a credential; one of more than ``Kit/remoteLimit`` bytes is left
    ///   out.
    /// - Returns: the kit's text.
    /// - Throws: `wrongPassword`, `parametersOutOfBounds`, `outOfMemory`, `damaged` where the later keys do not open.
    public func issueKit(
        password: borrowing MasterPassword, email: String, parameters: KDFParameters, remote: String = ""
    ) throws(VaultError) -> [UInt8] {
        let ring = try ring(password)
        do throws(WrapError) {
            return unsafe try Kit.issue(
                accountKey: ring.current.keys.account, vault: vault.pair,
                genesis: Digest.blake2b256(header[Header.genesis].span.bytes), remote: remote, password: password,
                email: email, parameters: parameters
            ).text
        } catch {
            throw VaultError(error)
        }
    }

    /// The key that admits devices, shuts them out and rotates.
    ///
    /// - Throws: `wrongPassword`, `parametersOutOfBounds`, `outOfMemory`.
    public func adminKey(password: borrowing MasterPassword) throws(VaultError) -> AdminKey {
        do throws(WrapError) {
            let accountKey = try unwrap(password)
            return unsafe try AdminKey(
                wrap: header[Header.adminWrap].span.bytes, password: password, vault: vault.pair,
                accountKey: accountKey)
        } catch {
            throw VaultError(error)
        }
    }

    private func ring(_ password: borrowing MasterPassword) throws(VaultError) -> KeyRing {
        let first: AccountKey
        do throws(WrapError) { first = try unwrap(password) } catch { throw VaultError(error) }
        var ring = KeyRing(first: first, vault: vault.pair, genesis: header[Header.genesis])
        if let later, !ring.load(later) { throw .damaged([Damage("the account keys of later epochs do not open")]) }
        return ring
    }

    /// Whether a password is the vault's.
    ///
    /// - Throws: `wrongPassword`, `parametersOutOfBounds`, `outOfMemory`.
    public func check(_ password: borrowing MasterPassword) throws(VaultError) {
        do throws(WrapError) { _ = try unwrap(password) } catch { throw VaultError(error) }
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
