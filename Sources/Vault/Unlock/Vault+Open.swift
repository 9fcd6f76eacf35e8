internal import Format
internal import Foundation
internal import Glibc
public import Sealing
internal import Synchronization
public import SystemPackage

extension Vault {
    /// How a vault is to be opened.
    public struct OpenOptions: Sendable {
        /// Refuse every change.
        public var readOnly: Bool
        /// Open what is intact of a damaged or older file, read-only; ``Vault/damage`` says what is not.
        public var tolerateDamage: Bool
        /// Where the counter against older copies is kept; `$XDG_STATE_HOME` by default.
        public var stateDirectory: FilePath

        public init(readOnly: Bool = false, tolerateDamage: Bool = false, stateDirectory: FilePath) {
            self.readOnly = readOnly
            self.tolerateDamage = tolerateDamage
            self.stateDirectory = stateDirectory
        }
    }

    /// Opens a vault with its master password: derives the key, verifies every row, builds the tree.
    ///
    /// What a killed process had acknowledged is put into the file first, from the journal.
    ///
    /// - Throws: see ``VaultError``.
    public static func open(
        at path: FilePath, password: borrowing MasterPassword, options: OpenOptions
    ) throws(VaultError) -> Vault {
        let locked = try LockedVault(path, options)
        return try open(locked, try locked.unwrap(password), options)
    }

    static func open(
        _ locked: LockedVault, _ accountKey: AccountKey, _ options: OpenOptions
    ) throws(VaultError) -> Vault {
        guard
            unsafe Canary.verify(
                locked.header[Header.canary].span.bytes, accountKey: accountKey, vault: locked.identifier.pair,
                genesis: Digest.blake2b256(locked.header[Header.genesis].span.bytes).span.bytes)
                || options.tolerateDamage
        else { throw .damaged([Damage("the canary does not match the account key")]) }
        guard Genesis.verify(locked.header[Header.genesis]) || options.tolerateDamage else {
            throw .damaged([Damage("the genesis record's signatures are wrong")])
        }
        let setAside = try locked.companions.setAside()
        let unlocked = try Unlocked(
            file: locked.file, accountKey: accountKey, header: locked.header, vault: locked.identifier,
            options: options, mounter: (geteuid(), getegid()), missing: locked.companions.missing, setAside: setAside)
        let vault = Vault(unlocked)
        vault.takeReserve()
        return vault
    }

    /// Erases rows of files that a killed process left without a name, and of removed entries that have no file.
    func erase(orphans: [Int64], hollow: [Int64]) {
        guard !orphans.isEmpty || !hollow.isEmpty else { return }
        committer.withLock { committer in
            do throws(Errno) {
                try committer.transaction { () throws(Errno) in
                    for slot in orphans { try eraseFile(slot, in: committer) }
                    for slot in hollow { try committer.deleteEntry(slot, committer.loadEntry(slot).1) }
                }
            } catch {
                // They cost space only, and are met again the next time.
                return
            }
        }
    }
}

/// A vault whose file is open and locked against other processes, but whose key is not there yet.
struct LockedVault {
    let file: VaultFile
    let header: Header
    let identifier: Identifier
    let companions: Companions

    init(_ path: FilePath, _ options: Vault.OpenOptions) throws(VaultError) {
        let file = try VaultFile(path: path, stateDirectory: options.stateDirectory)
        try file.checkHeader()
        try Companions.checkFormats(of: path)
        if Surroundings.areUnwritable(path) {
            guard options.readOnly else { throw .unwritableFolder(isBehind: false) }
            guard !Surroundings.haveLog(path) else { throw .unwritableFolder(isBehind: true) }
        }
        try Companions.check(path)
        let companions = Companions(of: path)
        self.companions = companions
        guard companions.missing.isEmpty || options.tolerateDamage else { throw .incomplete(companions.missing) }
        header = try VaultError.translating("reading the header") { () throws(DatabaseFailure) in
            // The log of another state is set aside once the password is known to be right.
            let isOwn = companions.foreign.isEmpty
            let connection = try Connection(path: path, readOnly: !isOwn, cacheKiB: 64, asItIs: !isOwn)
            defer { connection.close() }
            return try Header.read(connection)
        }
        for name in [Header.canary, Header.genesis] {
            if let format = ObjectFormat.newerRecord(header[name]) { throw .newerFormat(format) }
        }
        guard let identifier = Identifier(bytes: header[Header.identifier]) else {
            throw .damaged([Damage("the vault's identifier is missing from the header")])
        }
        self.identifier = identifier
        self.file = file.identified(as: identifier, stateDirectory: options.stateDirectory)
    }

    /// The account key, by the master password.
    func unwrap(_ password: borrowing MasterPassword) throws(VaultError) -> AccountKey {
        let wrap = header[Header.unlockWrap]
        guard !wrap.isEmpty else { throw .damaged([Damage("the wrapped account key is missing from the header")]) }
        do throws(WrapError) {
            let key = unsafe try Wrap.open(
                wrap.span.bytes, password: password, purpose: .unlock, vault: identifier.pair,
                context: [UInt8]().span.bytes)
            return unsafe AccountKey(copying: key, epoch: try Wrap.epoch(of: wrap.span.bytes))
        } catch {
            throw VaultError(error)
        }
    }
}

extension VaultError {
    init(_ error: WrapError) {
        switch error {
        case .wrongPassword: self = .wrongPassword
        case .parametersOutOfBounds: self = .parametersOutOfBounds
        case .unsupportedVersion(let version): self = .newerFormat(Int(version))
        case .outOfMemory: self = .outOfMemory
        }
    }
}
