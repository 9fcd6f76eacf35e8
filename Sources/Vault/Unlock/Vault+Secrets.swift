internal import Format
public import Sealing
internal import SystemPackage

extension Vault {
    /// Wraps the account key and the admin key under a new password. The cost of deriving keys stays, or
    /// rises to the present default; it is never lowered.
    ///
    /// Revokes nothing: old copies of the file still open with the old password.
    public func changePassword(
        from old: borrowing MasterPassword, to new: borrowing MasterPassword
    ) throws(VaultError) {
        try replaceWraps(from: old, to: new)
    }

    private func replaceWraps(
        from old: borrowing MasterPassword, to new: borrowing MasterPassword
    ) throws(VaultError) {
        var header = try readHeader()
        let wrap = header[Header.unlockWrap]
        do throws(WrapError) {
            let accountKey = try unwrap(wrap, old)
            let parameters = unsafe try Wrap.parameters(of: wrap.span.bytes)
            let admin = unsafe try AdminKey(
                wrap: header[Header.adminWrap].span.bytes, password: old, vault: identifier.pair,
                accountKey: accountKey)
            header[Header.unlockWrap] = try accountKey.wrap(
                password: new, parameters: parameters, vault: identifier.pair)
            header[Header.adminWrap] = try admin.wrap(
                password: new, parameters: parameters, vault: identifier.pair, accountKey: accountKey)
        } catch {
            throw VaultError(error)
        }
        try write(header)
    }

    /// Issues a kit: the account key, wrapped for the way to another device.
    ///
    /// - Parameter parameters: the cost; nil takes four times unlock's memory and one more pass.
    /// - Returns: the kit's text.
    public func issueKit(
        password: borrowing MasterPassword, email: String, parameters: KDFParameters
    ) throws(VaultError) -> [UInt8] {
        let header = try readHeader()
        do throws(WrapError) {
            let accountKey = try unwrap(header[Header.unlockWrap], password)
            return unsafe try Kit.issue(
                accountKey: accountKey, vault: identifier.pair,
                genesis: Digest.blake2b256(header[Header.genesis].span.bytes), remote: "", password: password,
                email: email, parameters: parameters
            ).text
        } catch {
            throw VaultError(error)
        }
    }

    /// What unlocking costs in this vault.
    public func unlockParameters() throws(VaultError) -> KDFParameters {
        let header = try readHeader()
        do throws(WrapError) {
            return unsafe try Wrap.parameters(of: header[Header.unlockWrap].span.bytes)
        } catch {
            throw VaultError(error)
        }
    }

    private func unwrap(_ wrap: [UInt8], _ password: borrowing MasterPassword) throws(WrapError) -> AccountKey {
        let key = unsafe try Wrap.open(
            wrap.span.bytes, password: password, purpose: .unlock, vault: identifier.pair,
            context: [UInt8]().span.bytes)
        return unsafe AccountKey(copying: key, epoch: try Wrap.epoch(of: wrap.span.bytes))
    }

    private func readHeader() throws(VaultError) -> Header {
        try VaultError.translating("reading the header") { () throws(DatabaseFailure) in
            try committer.withLock { (committer) throws(DatabaseFailure) in try Header.read(committer.connection) }
        }
    }

    /// The header rows and the root's digest of them change together.
    private func write(_ header: Header) throws(VaultError) {
        do throws(Errno) {
            try committer.withLock { (committer) throws(Errno) in
                try committer.transactionNow { () throws(Errno) in
                    committer.root.header = header.digest
                    do throws(DatabaseFailure) {
                        for name in [Header.unlockWrap, Header.adminWrap] {
                            try Header.write(name, header[name], in: committer.connection)
                        }
                    } catch {
                        throw error.errno
                    }
                }
            }
            try makeDurable()
        } catch {
            throw .io(error, "writing the header")
        }
    }
}
