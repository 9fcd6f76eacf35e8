internal import Format
internal import Glibc
public import Sealing
internal import Synchronization
public import SystemPackage

/// What ``Vault/acceptDamage(at:password:stateDirectory:)`` has done.
public struct AcceptedDamage: Sendable {
    /// Rows that were set aside.
    public var rows = 0
    /// The entries that they were of, where these are known, and what became of them.
    public var entries: [Damage] = []
}

extension Vault {
    /// Makes a damaged or older vault consistent with what is intact of it: rows that do not open, and contents that
    /// cannot be read to their end, are moved into the table `damaged` of the same file, and the root is written anew.
    /// Nothing is deleted.
    ///
    /// A file whose content is moved goes back to the latest version that is intact; without one, its entries are moved,
    /// too.
    public static func acceptDamage(
        at path: FilePath, password: borrowing MasterPassword, stateDirectory: FilePath
    ) throws(VaultError) -> AcceptedDamage {
        guard !Surroundings.areUnwritable(path) else { throw .unwritableFolder(isBehind: false) }
        let options = OpenOptions(readOnly: true, tolerateDamage: true, stateDirectory: stateDirectory)
        let vault = try open(at: path, password: password, options: options)
        let accepted: AcceptedDamage
        do throws(Errno) {
            accepted = try vault.setDamageAside()
        } catch {
            try? vault.close()
            throw .io(error, "setting damaged rows aside")
        }
        try vault.close()
        return accepted
    }

    /// Moves what does not open, sums up the rest, and writes the root with a counter above both what it had
    /// and what this machine had seen.
    private func setDamageAside() throws(Errno) -> AcceptedDamage {
        try committer.withLock { (committer) throws(Errno) in
            committer.refusal = nil
            defer { committer.refusal = .readOnlyFileSystem }
            let header = try Vault.database { () throws(DatabaseFailure) in try Header.read(committer.connection) }
            let survey = try ContentSurvey(self, committer)
            var accepted = AcceptedDamage()
            try committer.transactionNow { () throws(Errno) in
                accepted.rows += try committer.setRecordsAside()
                if committer.root.device == .none { try committer.takeUpLostRoot(genesis: header[Header.genesis]) }
                try committer.catchUp()
                var histories = try HistoryRepair(committer, chunks, survey)
                try histories.run()
                accepted.rows += histories.rows
                try repairNames(committer, histories.outcomes, &accepted)
                var sum = RootState(RootRecord(device: committer.root.device, header: header.digest))
                for table in Table.allCases {
                    for case (let slot, let seal?) in try committer.seals(of: table) {
                        sum.add(keys.multiset, table, slot, seal)
                    }
                }
                committer.root.sum = sum.sum
                committer.root.rows = sum.rows
                committer.root.header = header.digest
                committer.root.counter = max(committer.root.counter, file.savedCounter(committer.root))
            }
            try makeDurable()
            try settleFile(committer)
            return accepted
        }
    }

    /// From here on the file is whole by itself, and what is beside it belongs to another state.
    private func settleFile(_ committer: Committer) throws(Errno) {
        let journal = Journal.path(of: path)
        do throws(VaultError) {
            if Journal.isLeft(beside: path) { _ = try Companions.setAside(journal) }
        } catch {
            guard case .io(let errno, _) = error else { throw .ioError }
            throw errno
        }
        try committer.applier.writer.withLock { (writer) throws(Errno) in
            try Vault.database { () throws(DatabaseFailure) in
                try writer.connection.note(SessionMark(isOpen: false, identifier: .random()))
            }
        }
    }

    /// Entries whose file is gone are set aside; entries whose directory is gone, and files without any entry,
    /// get one in the top directory.
    private func repairNames(
        _ committer: Committer, _ outcomes: [Identifier: String], _ accepted: inout AcceptedDamage
    ) throws(Errno) {
        var hasTop = false
        var nameless: [Identifier: FileRecord] = [:]
        var directories = Set<Identifier>()
        for (slot, _) in try committer.seals(of: .file) {
            let record = try committer.loadFile(slot).0
            if record.identifier != identifier, record.detached == 0 { nameless[record.identifier] = record }
            if record.mode & FileType.mask == FileType.directory { directories.insert(record.identifier) }
            hasTop = hasTop || record.identifier == identifier
        }
        if !hasTop {
            try makeTop(committer)
            directories.insert(identifier)
        }
        let files = Set(nameless.keys)
        for (slot, _) in try committer.seals(of: .entry) {
            var (record, seal) = try committer.loadEntry(slot)
            guard files.contains(record.file) else {
                try committer.setAside(.entry, slot)
                accepted.rows += 1
                accepted.entries.append(Damage(path: path(of: record), "set aside"))
                continue
            }
            nameless[record.file] = nil
            if let outcome = outcomes[record.file] {
                accepted.entries.append(Damage(path: path(of: record), outcome))
            }
            guard record.removed == 0, !directories.contains(record.parent) else { continue }
            record.parent = identifier
            record.name = Array(("recovered-".utf8 + record.name).prefix(Limits.nameLength))
            try committer.putEntry(record, slot: slot, previous: seal)
        }
        for record in nameless.values {
            let entry = EntryRecord(
                identifier: .fresh(), parent: identifier, file: record.identifier, stamp: committer.nextStamp(),
                name: Array("recovered-\(record.inode)".utf8))
            try committer.putEntry(entry, slot: committer.freshSlot(), previous: nil)
        }
    }

    private func makeTop(_ committer: Committer) throws(Errno) {
        var record = FileRecord(
            identifier: identifier, inode: 1, mode: FileType.directory | 0o700, stamp: committer.nextStamp(),
            time: .now())
        (record.owner, record.group) = (mounter.user, mounter.group)
        (record.ownedByMounter, record.groupOfMounter) = (true, true)
        unsafe try committer.putFile(record, slot: committer.freshSlot(), previous: nil, content: .none)
    }

    /// For messages: where an entry is, or was before it went to the trash.
    private func path(of entry: EntryRecord) -> String {
        let name = String(decoding: entry.name, as: UTF8.self)
        return tree.withLock { tree in
            guard let parent = tree.node(of: entry.parent), parent != .root else { return name }
            let inode = tree.inode(at: UInt32(truncatingIfNeeded: parent.index))
            guard inode.isDirectory else { return name }
            return tree.path(ofDentry: tree.directories[Int(inode.directory)].dentry) + "/" + name
        }
    }

    static func database<R>(_ body: () throws(DatabaseFailure) -> R) throws(Errno) -> R {
        do throws(DatabaseFailure) { return try body() } catch { throw error.errno }
    }
}

extension Committer {
    /// The slots of a table with their seals; nil for a seal that is malformed.
    func seals(of table: Table) throws(Errno) -> [(Int64, Seal?)] {
        try Vault.database { () throws(DatabaseFailure) in
            let name = RowStatements.tableNames[Int(table.rawValue)]
            let statement = try connection.prepare("SELECT slot, seal FROM \(name)")
            var found: [(Int64, Seal?)] = []
            while try statement.step() {
                found.append((statement.integer(0), unsafe RowReader.seal(statement.bytes(1))))
            }
            return found
        }
    }

    /// Sets aside all rows whose records do not open.
    ///
    /// - Returns: how many these are.
    fileprivate func setRecordsAside() throws(Errno) -> Int {
        var rows = 0
        for table in Table.allCases {
            for (slot, seal) in try seals(of: table) {
                if seal != nil, try opens(table, slot) { continue }
                try setAside(table, slot)
                rows += 1
            }
        }
        return rows
    }

    /// Whether a row's record opens; chunks are sealed under their file and are opened with it.
    fileprivate func opens(_ table: Table, _ slot: Int64) throws(Errno) -> Bool {
        do throws(Errno) {
            switch table {
            case .entry: _ = try loadEntry(slot)
            case .file: _ = try loadFile(slot)
            case .version: _ = try loadVersion(slot)
            case .operation: _ = try loadOperation(slot)
            case .sync: _ = try loadSync(slot)
            case .chunk, .outbox: break
            }
            return true
        } catch .ioError {
            return false
        }
    }

    func setAside(_ table: Table, _ slot: Int64) throws(Errno) {
        try Vault.database { () throws(DatabaseFailure) in
            let name = RowStatements.tableNames[Int(table.rawValue)]
            let content = table == .file || table == .version ? "content" : "NULL"
            try connection.execute(
                "INSERT INTO damaged (origin, slot, seal, body, content) "
                    + "SELECT '\(name)', slot, seal, body, \(content) FROM \(name) WHERE slot = \(slot)")
            try connection.execute("DELETE FROM \(name) WHERE slot = \(slot)")
        }
    }

    /// As above for a chunk, with what its cell holds: the cell may be used again.
    func setAside(chunk slot: Int64, in file: ChunkFile) throws(Errno) {
        let cell = try cell(ofChunk: slot).flatMap { file.bytes(of: $0) }
        try setAside(.chunk, slot)
        if let cell {
            try Vault.database { () throws(DatabaseFailure) in
                let statement = try connection.prepare("UPDATE damaged SET body = ?1 WHERE id = last_insert_rowid()")
                defer { statement.finalize() }
                try statement.bind(1, cell)
            }
        }
        // It may come again from another device.
        _ = try takeWaiting(chunk: slot)
        while try unshareChunk(slot) {}
    }

    /// What a lost root said and the other rows do not: this device, which made the vault, and which operations are
    /// still there.
    fileprivate func takeUpLostRoot(genesis: [UInt8]) throws(Errno) {
        root.device = Genesis.device(genesis).flatMap { Identifier(bytes: $0) } ?? .none
        root.droppedOperations = try Vault.database { () throws(DatabaseFailure) in
            try connection.integer("SELECT coalesce(min(slot), 1) - 1 FROM operation")
        }
    }

    /// Inode numbers, clock and operations go on behind what the rows have.
    fileprivate func catchUp() throws(Errno) {
        let highest = try highest()
        root.nextInode = max(root.nextInode, highest.inode &+ 1)
        root.lamport = max(root.lamport, highest.lamport)
        root.lastOperation = max(root.lastOperation, try highestOperation())
    }

    /// The highest inode number and the latest clock of all rows.
    fileprivate func highest() throws(Errno) -> (inode: UInt64, lamport: UInt64) {
        var highest: (inode: UInt64, lamport: UInt64) = (1, 0)
        for (slot, _) in try seals(of: .file) {
            guard let record = try? loadFile(slot).0 else { continue }
            highest.inode = max(highest.inode, record.inode)
            highest.lamport = max(highest.lamport, record.stamp.lamport)
        }
        for (slot, _) in try seals(of: .entry) {
            if let record = try? loadEntry(slot).0 { highest.lamport = max(highest.lamport, record.stamp.lamport) }
        }
        for (slot, _) in try seals(of: .operation) {
            if let record = try? loadOperation(slot).0 { highest.lamport = max(highest.lamport, record.lamport) }
        }
        return highest
    }

    fileprivate func highestOperation() throws(Errno) -> Int64 {
        try Vault.database { () throws(DatabaseFailure) in
            try connection.integer("SELECT coalesce(max(slot), 0) FROM operation")
        }
    }
}
