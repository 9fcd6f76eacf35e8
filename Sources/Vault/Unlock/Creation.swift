public import Format
internal import Foundation
internal import Glibc
public import Sealing
public import SystemPackage

extension Vault {
    /// What a new vault is made with.
    public struct CreationOptions: Sendable {
        /// The cost of deriving the key from the master password at each unlock.
        public var parameters: KDFParameters
        public var stateDirectory: FilePath

        public init(parameters: KDFParameters, stateDirectory: FilePath) {
            self.parameters = parameters
            self.stateDirectory = stateDirectory
        }
    }

    /// Makes a vault: account key, admin key, canary, first device, an empty tree. The file appears whole
    /// or not at all.
    ///
    /// - Throws: `alreadyExists`, `weakPassword` is the caller's to check, `outOfMemory`, `io`.
    public static func create(
        at path: FilePath, password: borrowing MasterPassword, options: CreationOptions
    ) throws(VaultError) -> Vault {
        try make(at: path) { () throws(VaultError) in
            try NewVault(password: password, parameters: options.parameters)
        }
        return try open(at: path, password: password, options: OpenOptions(stateDirectory: options.stateDirectory))
    }

    /// Makes an empty vault that is another device's copy of `origin`, for synchronisation to fill.
    ///
    /// - Parameters:
    ///   - accountKey: the vault's of epoch 1, as a kit or another device has given it.
    ///   - laterKeys: those of later epochs (``KeyRing/stored``).
    ///   - device: this device.
    ///   - deviceKeys: its own keys.
    ///   - password: the master password; the admin key of `origin` stays wrapped as it is.
    /// - Throws: `damaged` where canary or genesis do not belong to the account key, and what
    ///   ``create(at:password:options:)`` throws.
    public static func createReplica(
        at path: FilePath, of origin: ReplicaOrigin, accountKey: AccountKey, laterKeys: [UInt8]? = nil,
        device: Identifier, deviceKeys: borrowing DeviceKeys, password: borrowing MasterPassword,
        options: CreationOptions
    ) throws(VaultError) -> Vault {
        try origin.check(accountKey)
        try make(at: path) { () throws(VaultError) in
            var new = try NewVault(
                origin, accountKey, device, deviceKeys, password: password, parameters: options.parameters)
            new.laterKeys = laterKeys
            return new
        }
        return try open(at: path, password: password, options: OpenOptions(stateDirectory: options.stateDirectory))
    }

    private static func make(
        at path: FilePath, _ secrets: () throws(VaultError) -> NewVault
    ) throws(VaultError) {
        try VaultFile.checkLength(of: path, more: 4)
        try checkFree(path)
        // Takes a second, in which whoever interrupts it leaves nothing.
        let secrets = try secrets()
        let temporary = FilePath("\(path.string).new")
        let directory = path.removingLastComponent()
        Ownership.makeDirectories(directory.isEmpty ? "." : directory)
        let claim = try claim(path, temporary)
        // Last: closing it gives up SQLite's own locks, too (fcntl(2)).
        defer { unlock(claim) }
        do throws(DatabaseFailure) {
            try secrets.write(to: temporary)
        } catch {
            remove(temporary)
            throw VaultError(error, "writing \(path)")
        }
        defer { remove(temporary) }
        try publish(temporary, as: path)
    }

    /// Nothing is there: no vault, and nothing that one has left which was moved away, or whose process was killed. SQLite
    /// would take its log for the new one's.
    ///
    /// - Throws: `alreadyExists`, `partOfAnother`.
    public static func checkFree(_ path: FilePath) throws(VaultError) {
        var status = stat()
        guard unsafe lstat(path.string, &status) != 0 || isLeftClaim(path) else { throw .alreadyExists }
        for suffix in fileSuffixes + ["-journal"] {
            let part = FilePath(path.string + suffix)
            guard unsafe lstat(part.string, &status) == 0, status.st_size > 0 else { continue }
            // It may be the part of a vault that somebody has made in this moment.
            throw unsafe lstat(path.string, &status) == 0 && status.st_size > 0 ? .alreadyExists : .partOfAnother(part)
        }
    }

    /// The new file under its temporary name, locked: of two processes that make the same vault, the second is refused
    /// where it would take the first one's file away. What an interrupted one has left is removed.
    private static func claim(_ path: FilePath, _ temporary: FilePath) throws(VaultError) -> FileDescriptor {
        try checkFree(path)
        do {
            let left = try FileDescriptor.open(temporary, .readOnly, options: [.noFollow, .nonBlocking, .closeOnExec])
            defer { unlock(left) }
            try lock(left, at: temporary)
            removeClaim(on: path, of: temporary)
            remove(temporary)
        } catch Errno.noSuchFileOrDirectory {
            // The other process may make it in this moment.
        } catch let error as VaultError {
            throw error
        } catch {
            // What is no file that can be opened, such as a link, is nobody's.
            remove(temporary)
        }
        let file: FileDescriptor
        do {
            file = try FileDescriptor.open(
                temporary, .writeOnly, options: [.create, .exclusiveCreate, .closeOnExec],
                permissions: .ownerReadWrite)
        } catch Errno.fileExists {
            throw .inUse
        } catch {
            throw .io(error as? Errno ?? .ioError, "making \(path)")
        }
        do throws(VaultError) { try lock(file, at: temporary) } catch {
            unlock(file)
            throw error
        }
        return file
    }

    /// Locks a file. `inUse` where another process has it, or has taken its name meanwhile.
    private static func lock(_ file: FileDescriptor, at path: FilePath) throws(VaultError) {
        guard flock(file.rawValue, LOCK_EX | LOCK_NB) == 0 else {
            let error = Errno(rawValue: Glibc.errno)
            throw error == .wouldBlock ? .inUse : .io(error, "locking \(path)")
        }
        var (opened, named) = (stat(), stat())
        guard
            unsafe fstat(file.rawValue, &opened) == 0 && lstat(path.string, &named) == 0
                && opened.st_ino == named.st_ino && opened.st_dev == named.st_dev
        else { throw .inUse }
    }

    /// A child between fork and exec still has the descriptor, and with it the lock: closing it is not enough.
    private static func unlock(_ file: FileDescriptor) {
        _ = flock(file.rawValue, LOCK_UN)
        try? file.close()
    }

    private static func remove(_ path: FilePath) {
        for suffix in ["", "-wal", "-shm"] {
            _ = unsafe FilePath(path.string + suffix).withPlatformString { unsafe Glibc.unlink($0) }
        }
    }
}

/// The keys and header rows of a vault that is being made.
private struct NewVault: ~Copyable {
    let identifier: Identifier
    let device: Identifier
    let accountKey: AccountKey
    var header = Header()
    let keys: Keys
    /// Account keys of later epochs.
    var laterKeys: [UInt8]?

    init(password: borrowing MasterPassword, parameters: KDFParameters) throws(VaultError) {
        (identifier, device) = (.random(), .random())
        accountKey = AccountKey(epoch: 1)
        keys = Keys(accountKey: accountKey, vault: identifier)
        let admin = AdminKey()
        let deviceKeys = DeviceKeys()
        header[Header.identifier] = identifier.bytes
        let genesis = Genesis.make(
            vault: identifier.pair, admin: admin, device: device.pair, deviceKeys: deviceKeys)
        header[Header.genesis] = genesis
        header[Header.canary] = unsafe Canary.make(
            accountKey: accountKey, vault: identifier.pair,
            genesis: Digest.blake2b256(genesis.span.bytes).span.bytes)
        do throws(WrapError) {
            header[Header.unlockWrap] = try accountKey.wrap(
                password: password, parameters: parameters, vault: identifier.pair)
            header[Header.adminWrap] = try admin.wrap(
                password: password, parameters: parameters, vault: identifier.pair, accountKey: accountKey)
        } catch {
            throw VaultError(error)
        }
        header[Header.device] = keys.sealed(deviceKeys, of: device)
    }

    /// The same vault on another device.
    init(
        _ origin: ReplicaOrigin, _ accountKey: AccountKey, _ device: Identifier, _ deviceKeys: borrowing DeviceKeys,
        password: borrowing MasterPassword, parameters: KDFParameters
    ) throws(VaultError) {
        (identifier, self.device, self.accountKey) = (origin.vault, device, accountKey)
        keys = Keys(accountKey: accountKey, vault: origin.vault)
        header[Header.identifier] = origin.vault.bytes
        header[Header.genesis] = origin.genesis
        header[Header.canary] = origin.canary
        header[Header.adminWrap] = origin.adminWrap
        do throws(WrapError) {
            header[Header.unlockWrap] = try accountKey.wrap(
                password: password, parameters: parameters, vault: origin.vault.pair)
        } catch {
            throw VaultError(error)
        }
        header[Header.device] = keys.sealed(deviceKeys, of: device)
    }

    /// Writes the file: tables, header, the top directory, the root. Everything is on the disk when this
    /// returns.
    func write(to path: FilePath) throws(DatabaseFailure) {
        let connection = try Connection(path: path, readOnly: false, cacheKiB: 256)
        try Schema.create(in: connection)
        for name in Header.names { try Header.write(name, header[name], in: connection) }
        try connection.execute("COMMIT")
        let root = RootState(RootRecord(device: device, header: header.digest))
        let committer = try Committer(
            connection: connection, keys: keys, root: root, journal: Journal(vault: path, keys: keys, isOff: true),
            durability: Durability(vault: path))
        let mounter = (user: geteuid(), group: getegid())
        var top = FileRecord(
            identifier: identifier, inode: 1, mode: FileType.directory | 0o700,
            stamp: .zero, time: .now())
        (top.owner, top.group) = (mounter.user, mounter.group)
        do throws(Errno) {
            try committer.transaction { () throws(Errno) in
                unsafe try committer.putFile(top, slot: committer.freshSlot(), previous: nil, content: .none)
                if let laterKeys { try committer.saveKeys(laterKeys) }
            }
        } catch {
            throw error == .noSpace ? .full : .io
        }
        try connection.checkpoint(truncate: true)
        committer.close(isWhole: false)
    }
}
