internal import Format
internal import Glibc
public import Sealing
public import SystemPackage

extension Vault {
    /// Makes a damaged or older vault consistent with what is intact of it: rows that do not open are moved
    /// into the table `damaged` of the same file, and the root is written anew. Nothing is deleted.
    ///
    /// - Returns: how many rows were moved.
    public static func acceptDamage(
        at path: FilePath, password: borrowing MasterPassword, stateDirectory: FilePath
    ) throws(VaultError) -> Int {
        let options = OpenOptions(readOnly: true, tolerateDamage: true, stateDirectory: stateDirectory)
        let vault = try open(at: path, password: password, options: options)
        var moved = 0
        do throws(Errno) {
            moved = try vault.setDamageAside()
        } catch {
            try? vault.close()
            throw .io(error, "setting damaged rows aside")
        }
        try vault.close()
        return moved
    }

    /// Moves what does not open, sums up the rest, and writes the root with a counter above both what it had
    /// and what this machine had seen.
    private func setDamageAside() throws(Errno) -> Int {
        try committer.withLock { (committer) throws(Errno) in
            committer.refusal = nil
            defer { committer.refusal = .readOnlyFileSystem }
            let saved = file.savedCounter()
            let header = try Vault.database { () throws(DatabaseFailure) in try Header.read(committer.connection) }
            var moved = 0
            try committer.transactionNow { () throws(Errno) in
                for table in Table.allCases {
                    for (slot, seal) in try committer.seals(of: table) {
                        if seal != nil, try committer.opens(table, slot) { continue }
                        try committer.setAside(table, slot)
                        moved += 1
                    }
                }
                moved += try committer.repairNames(top: identifier, mounter: mounter)
                if committer.root.device == .none { try committer.takeUpLostRoot(genesis: header[Header.genesis]) }
                var sum = RootState(RootRecord(device: committer.root.device, header: header.digest))
                for table in Table.allCases {
                    for case (let slot, let seal?) in try committer.seals(of: table) {
                        sum.add(keys.multiset, table, slot, seal)
                    }
                }
                committer.root.sum = sum.sum
                committer.root.rows = sum.rows
                committer.root.header = header.digest
                committer.root.counter = max(committer.root.counter, saved)
                let highest = try committer.highest()
                committer.root.nextInode = max(committer.root.nextInode, highest.inode &+ 1)
                committer.root.lamport = max(committer.root.lamport, highest.lamport)
                committer.root.lastOperation = max(
                    committer.root.lastOperation, try committer.highestOperation())
            }
            try makeDurable()
            Journal.setAside(beside: path)
            return moved
        }
    }

    static func database<R>(_ body: () throws(DatabaseFailure) -> R) throws(Errno) -> R {
        do throws(DatabaseFailure) { return try body() } catch { throw error.errno }
    }
}

extension Committer {
    /// The slots of a table with their seals; nil for a seal that is malformed.
    fileprivate func seals(of table: Table) throws(Errno) -> [(Int64, Seal?)] {
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

    fileprivate func setAside(_ table: Table, _ slot: Int64) throws(Errno) {
        try Vault.database { () throws(DatabaseFailure) in
            let name = RowStatements.tableNames[Int(table.rawValue)]
            let content = table == .file || table == .version ? "content" : "NULL"
            try connection.execute(
                "INSERT INTO damaged (origin, slot, seal, body, content) "
                    + "SELECT '\(name)', slot, seal, body, \(content) FROM \(name) WHERE slot = \(slot)")
            try connection.execute("DELETE FROM \(name) WHERE slot = \(slot)")
        }
    }

    /// Entries whose file is gone are set aside; entries whose directory is gone, and files without any entry,
    /// get one in the top directory.
    ///
    /// - Returns: how many rows were set aside.
    fileprivate func repairNames(
        top: Identifier, mounter: (user: UInt32, group: UInt32)
    ) throws(Errno) -> Int {
        var hasTop = false
        var nameless: [Identifier: FileRecord] = [:]
        var directories = Set<Identifier>()
        for (slot, _) in try seals(of: .file) {
            let record = try loadFile(slot).0
            if record.identifier != top, record.detached == 0 { nameless[record.identifier] = record }
            if record.mode & FileType.mask == FileType.directory { directories.insert(record.identifier) }
            hasTop = hasTop || record.identifier == top
        }
        if !hasTop {
            var record = FileRecord(
                identifier: top, inode: 1, mode: FileType.directory | 0o700, stamp: nextStamp(), time: .now())
            (record.owner, record.group) = (mounter.user, mounter.group)
            (record.ownedByMounter, record.groupOfMounter) = (true, true)
            unsafe try putFile(record, slot: freshSlot(), previous: nil, content: .none)
            directories.insert(top)
        }
        let files = Set(nameless.keys)
        var moved = 0
        for (slot, _) in try seals(of: .entry) {
            var (record, seal) = try loadEntry(slot)
            if !files.contains(record.file) {
                try setAside(.entry, slot)
                moved += 1
                continue
            }
            nameless[record.file] = nil
            guard record.removed == 0, !directories.contains(record.parent) else { continue }
            record.parent = top
            record.name = Array(("recovered-".utf8 + record.name).prefix(Limits.nameLength))
            try putEntry(record, slot: slot, previous: seal)
        }
        for record in nameless.values {
            let entry = EntryRecord(
                identifier: .fresh(), parent: top, file: record.identifier, stamp: nextStamp(),
                name: Array("recovered-\(record.inode)".utf8))
            try putEntry(entry, slot: freshSlot(), previous: nil)
        }
        return moved
    }

    /// What a lost root said and the other rows do not: this device, which made the vault, and which operations are
    /// still there.
    fileprivate func takeUpLostRoot(genesis: [UInt8]) throws(Errno) {
        root.device = Genesis.device(genesis).flatMap { Identifier(bytes: $0) } ?? .none
        root.droppedOperations = try Vault.database { () throws(DatabaseFailure) in
            try connection.integer("SELECT coalesce(min(slot), 1) - 1 FROM operation")
        }
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
