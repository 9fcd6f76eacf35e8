internal import Format
public import Sealing
internal import SystemPackage

extension Vault {
    /// Wraps the account key and the admin key under a new password. The cost of deriving keys stays.
    ///
    /// Revokes nothing: old copies of the file still open with the old password.
    public func changePassword(
        from old: borrowing MasterPassword, to new: borrowing MasterPassword
    ) throws(VaultError) {
        try replaceKeys(with: wrappedKeys().rewrapped(from: old, to: new))
    }

    /// Issues a kit: the account key, wrapped for the way to another device.
    ///
    /// - Parameters:
    ///   - parameters: the cost of opening it.
    ///   - remote: the remote's address, without a credential.
    /// - Returns: the kit's text.
    public func issueKit(
        password: borrowing MasterPassword, email: String, parameters: KDFParameters, remote: String = ""
    ) throws(VaultError) -> [UInt8] {
        try wrappedKeys().issueKit(password: password, email: email, parameters: parameters, remote: remote)
    }

    /// What unlocking costs in this vault.
    public func unlockParameters() throws(VaultError) -> KDFParameters {
        try wrappedKeys().unlockParameters()
    }

    /// The keys as they stand in the header.
    public func wrappedKeys() throws(VaultError) -> WrappedKeys {
        let later: [UInt8]?
        do throws(Errno) {
            later = try committer.withLock { (committer) throws(Errno) in try committer.loadKeys() }
        } catch {
            throw .io(error, "reading the account keys of later epochs")
        }
        return WrappedKeys(header: try readHeader(), vault: identifier, later: later)
    }

    /// Takes the admin key's wrap that another device has announced: a device that joins gets it with the logs.
    public func adopt(adminWrap: [UInt8]) throws(VaultError) {
        var header = try readHeader()
        header[Header.adminWrap] = adminWrap
        try write(header)
    }

    /// Puts the keys under another password into the header, durably.
    public func replaceKeys(with new: WrappedKeys) throws(VaultError) {
        var header = try readHeader()
        for name in [Header.unlockWrap, Header.adminWrap] { header[name] = new.header[name] }
        try write(header)
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
