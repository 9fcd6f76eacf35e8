internal import Format
internal import Foundation
internal import Glibc
internal import Sealing
internal import Synchronization
internal import SystemPackage

/// Everything that opening a vault has made ready.
struct Unlocked {
    let file: VaultFile
    let keys: Keys
    let readers: ReaderPool
    let chunks: ChunkFile
    let isReadOnly: Bool
    let damage: [Damage]
    let milliseconds: Double
    let fingerprint: [String]
    let mounter: (user: UInt32, group: UInt32)
    let tree: Tree
    let trash: Trash
    let committer: Committer
    let checkpointer: Connection?
    /// Rows of files that nothing points at.
    let orphans: [Int64]
    /// Rows of removed entries without a file.
    let hollow: [Int64]
    /// What lay beside the file and belonged to another state of it, by its new names.
    let setAside: [FilePath]
    /// The state is one that `coffer backup restore` has brought back, and older than others seen here.
    let isRestored: Bool

    /// - Parameter missing: what is not there of what the latest changes stand in.
    init(
        file: VaultFile, accountKey: AccountKey, header: Header, vault: Identifier, options: Vault.OpenOptions,
        mounter: (user: UInt32, group: UInt32), missing: [FilePath] = [], setAside: [FilePath] = []
    ) throws(VaultError) {
        let start = ContinuousClock.now
        (self.file, self.mounter) = (file, mounter)
        let keys = Keys(accountKey: accountKey, vault: vault)
        self.keys = keys
        var found: [Damage] = []
        if file.isCutShort.load(ordering: .relaxed) { found.append(Damage("the file is shorter than it was")) }
        for path in missing { found.append(Damage("the latest changes are missing, with \(path.string)")) }
        let (connection, stored, root) = try VaultError.translating("opening the store") {
            () throws(DatabaseFailure) in
            let connection = try Connection(path: file.path, readOnly: false, cacheKiB: 4096)
            let stored = try Unlocked.rootSeal(connection)
            return (connection, stored, try Unlocked.recover(connection, file.path, keys, &found))
        }
        isRestored = file.isRestored(stored)
        guard Memory.has(Unlocked.need(of: root)) else { throw .outOfMemory }
        let scan = Scanner(path: file.path, keys: keys, mounter: mounter).scanAll()
        if let shortage = scan.files.shortage ?? scan.entries.shortage ?? scan.rest.shortage {
            throw VaultError(shortage, "reading the vault")
        }
        // Its seal is right: whoever wrote it has the key, and knows more than this program.
        if scan.rest.isNewer, !options.tolerateDamage { throw .newerRecords }
        Unlocked.check(scan, root, header, &found)
        let builder = TreeBuilder(
            files: scan.files, entries: scan.entries, root: vault, keepsNameless: !found.isEmpty)
        found += builder.damage
        (tree, trash, orphans, hollow) = (builder.tree, builder.trash, builder.orphans, builder.hollow)
        let places = try VaultError.translating("opening the chunks") { () throws(DatabaseFailure) in
            try ChunkFile(vault: file.path, used: scan.rest.cells, isReadOnly: options.readOnly)
        }
        if places.isCutShort { found.append(Damage("whole chunks of large files are missing: \(places.path.string)")) }
        chunks = places
        let saved = isRestored ? 0 : file.savedCounter(root)
        if saved > root.counter, options.tolerateDamage {
            found.append(Damage("the file is an older copy: \(saved - root.counter) changes are not in it"))
        }
        damage = found
        if !found.isEmpty, !options.tolerateDamage { throw .damaged(found) }
        if saved > root.counter, !options.tolerateDamage { throw .rolledBack(by: saved - root.counter) }
        let isReadOnly = options.readOnly || !found.isEmpty || saved > root.counter
        self.isReadOnly = isReadOnly
        self.setAside = try setAside + Unlocked.setOthersAside(file.path, keys, root, isReadOnly)
        (committer, readers, checkpointer) = try VaultError.translating("opening the store") {
            () throws(DatabaseFailure) in
            let session = isReadOnly ? nil : Identifier.random()
            if !isReadOnly { try Unlocked.endSession(connection) }
            let journal = Journal(vault: file.path, keys: keys, isOff: isReadOnly, session: session ?? .none)
            let committer = try Committer(
                connection: connection, keys: keys, root: root, journal: journal,
                durability: Durability(vault: file.path, isReadOnly: isReadOnly))
            if let session { try committer.begin(session) }
            committer.sync = scan.rest.sync
            if isReadOnly { committer.refusal = .readOnlyFileSystem }
            let checkpointer = isReadOnly ? nil : try Connection(path: file.path, readOnly: false, cacheKiB: 64)
            let readers = try ReaderPool(
                path: file.path, keys: keys, journal: journal, chunks: places, count: 4)
            return (committer, readers, checkpointer)
        }
        fingerprint = Genesis.fingerprint(header[Header.genesis])
        let elapsed = start.duration(to: .now).components
        milliseconds = Double(elapsed.attoseconds) / 1e15 + Double(elapsed.seconds) * 1e3
    }

    /// The journal of a state that this one is not: a new one is begun in its place.
    private static func setOthersAside(
        _ path: FilePath, _ keys: Keys, _ root: RootState, _ isReadOnly: Bool
    ) throws(VaultError) -> [FilePath] {
        guard !isReadOnly, Journal.holdsOthers(beside: path, keys: keys, counter: root.counter) else { return [] }
        return [try Companions.setAside(Journal.path(of: path))]
    }

    /// What a killed process had is in the file: nothing beside it counts any more.
    private static func endSession(_ connection: Connection) throws(DatabaseFailure) {
        guard let mark = SessionMark.read(connection), mark.isOpen else { return }
        try connection.note(mark.ended)
    }

    /// Tells one state of the file from every other.
    static func rootSeal(_ connection: Connection) throws(DatabaseFailure) -> [UInt8] {
        let statement = try connection.prepare("SELECT seal FROM root WHERE id = 1")
        defer { statement.reset() }
        return try statement.step() ? unsafe [UInt8](statement.bytes(0)) : []
    }

    /// What the tree and its making take, in bytes: an entry has two rows, and takes 380 at most when all is there.
    private static func need(of root: RootState) -> UInt64 { 16 << 20 + min(root.rows, 1 << 40) * 512 }

    /// The root row, after the operations of a process that was killed have been put into the store.
    private static func recover(
        _ connection: Connection, _ path: FilePath, _ keys: Keys, _ damage: inout [Damage]
    ) throws(DatabaseFailure) -> RootState {
        var root = try readRoot(connection, keys, &damage)
        guard damage.isEmpty, Journal.isLeft(beside: path) else { return root }
        if connection.isImmutable {
            guard try Journal.left(beside: path, keys: keys, base: root.counter) == nil else { throw .readOnly }
            return root
        }
        let writer = try StoreWriter(connection)
        while let rows = try Journal.left(beside: path, keys: keys, base: root.counter) {
            try writer.commit(rows)
            let counter = root.counter
            root = try readRoot(connection, keys, &damage)
            guard damage.isEmpty, root.counter > counter else { break }
        }
        // Before the journal is begun anew: what the store had of it already need not be on the disk yet.
        let durability = try Durability(vault: path)
        durability.noteCommit()
        do throws(Errno) { try durability.makeDurable() } catch { throw .io }
        return root
    }

    /// The root row, or an empty one where it does not open: then everything else is damage, too.
    static func readRoot(
        _ connection: Connection, _ keys: Keys, _ damage: inout [Damage]
    ) throws(DatabaseFailure) -> RootState {
        let statement = try connection.prepare("SELECT seal, body FROM root WHERE id = 1")
        defer { statement.reset() }
        if try statement.step(), let seal = unsafe RowReader.seal(statement.bytes(0)) {
            var plain = PlainBuffer(capacity: 256)
            let body = unsafe statement.bytes(1)
            if body.count <= Limits.metadata {
                plain.resize(to: body.count)
                let data = keys.rowData(.root, slot: 1)
                let opened = unsafe plain.withUnsafeMutableBytes { unsafe keys.local.open(body, seal, data, into: $0) }
                if opened, let record = try? plain.withBytes({ bytes in try RootRecord(decoding: bytes) }) {
                    return RootState(record)
                }
            }
        }
        damage.append(Damage("the integrity root is missing or changed"))
        return RootState(RootRecord(device: .none, header: []))
    }

    private static func check(
        _ scan: (files: Scan, entries: Scan, rest: Scan), _ root: RootState, _ header: Header,
        _ damage: inout [Damage]
    ) {
        var total = scan.files
        total.inodes = []
        total.add(scan.entries)
        total.add(scan.rest)
        damage += total.damage
        if root.header != header.digest { damage.append(Damage("the header is not the one that was written last")) }
        guard total.damage.isEmpty, total.sum != root.sum else { return }
        switch total.rows {
        case ..<root.rows: damage.append(Damage("\(root.rows - total.rows) rows are missing"))
        case root.rows: damage.append(Damage("rows were changed or are older than the rest"))
        default: damage.append(Damage("\(total.rows - root.rows) rows do not belong there"))
        }
    }
}
