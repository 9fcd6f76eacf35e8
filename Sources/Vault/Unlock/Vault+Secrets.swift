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
    /// - Returns: the kit's text; ``note(kit:)`` tells the other devices.
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
        WrappedKeys(header: try readHeader(), vault: identifier, later: try laterKeys())
    }

    /// The account keys of all epochs that this device knows of.
    public func keyRing() throws(VaultError) -> KeyRing {
        var ring = KeyRing(
            first: keys.accountKey, vault: identifier.pair, genesis: try readHeader()[Header.genesis])
        if let later = try laterKeys(), !ring.load(later) {
            throw .damaged([Damage("the account keys of later epochs do not open")])
        }
        return ring
    }

    private func laterKeys() throws(VaultError) -> [UInt8]? {
        do throws(Errno) {
            return try committer.withLock { (committer) throws(Errno) in try committer.loadKeys() }
        } catch {
            throw .io(error, "reading the account keys of later epochs")
        }
    }

    /// Takes the admin key's wrap that another device has announced: a device that joins gets it with the logs.
    public func adopt(adminWrap: [UInt8]) throws(VaultError) {
        var header = try readHeader()
        header[Header.adminWrap] = adminWrap
        try write(header)
    }

    /// Puts the keys under another password into the header, durably. Devices that join hear of the admin key's new wrap.
    public func replaceKeys(with new: WrappedKeys) throws(VaultError) {
        var header = try readHeader()
        for name in [Header.unlockWrap, Header.adminWrap] { header[name] = new.header[name] }
        try write(header)
        try addNotice(Notice.Kind.adminWrap.rawValue, header[Header.adminWrap])
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
