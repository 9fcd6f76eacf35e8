internal import Format
internal import Sealing

/// The records of the files that were written last, with the seals of their rows: a file that was just made gets its
/// content next, and its directory the next file. Reading them back took a tenth of a creation (measured).
///
/// Only of files without extended attributes, whose values are the user's.
struct RecentFiles {
    private var files: [(slot: Int64, record: FileRecord, seal: Seal)] = []
    private static let most = 4

    func find(_ slot: Int64) -> (FileRecord, Seal)? {
        files.last { $0.slot == slot }.map { ($0.record, $0.seal) }
    }

    mutating func note(_ slot: Int64, _ record: FileRecord, _ seal: Seal) {
        guard record.attributes.isEmpty else { return }
        if files.count == RecentFiles.most { files.removeFirst() }
        files.append((slot, record, seal))
    }

    /// The row is being changed.
    mutating func forget(_ key: RowKey) {
        guard key.table == Table.file.rawValue else { return }
        files.removeAll { $0.slot == key.slot }
    }

    /// What was written is not in the store.
    mutating func forgetAll() { files.removeAll() }
}
