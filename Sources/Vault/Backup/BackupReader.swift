internal import Format
internal import Glibc
internal import Sealing
public import SystemPackage

/// Reads a backup from its beginning to its end. What it hands out was checked before.
final class BackupReader {
    let summary: Backup.Summary
    private let file: FileDescriptor
    /// The digest of the last piece, then the head and the bytes of the next one.
    private var buffer = [UInt8](
        repeating: 0, count: BackupPiece.digestSize + BackupPiece.headSize + BackupPiece.limit)
    /// Of the piece that was read last.
    private var digest: [UInt8] = []
    private var pieces: UInt64 = 0
    private var done: UInt64 = 0
    /// Where the last piece of each file ended.
    private var ends: [BackupPiece.Kind: UInt64] = [:]

    init(_ path: FilePath) throws(BackupError) {
        let opened = try BackupReader.open(path)
        var header = [UInt8](repeating: 0, count: BackupHeader.size)
        do throws(BackupError) {
            header.removeLast(header.count - (try BackupReader.read(opened, into: &header, 0..<BackupHeader.size)))
            summary = try BackupHeader(header).summary
        } catch {
            try? opened.close()
            throw error
        }
        file = opened
        buffer.replaceSubrange(
            0..<BackupPiece.digestSize, with: header[(BackupHeader.size - BackupPiece.digestSize)...])
    }

    private static func open(_ path: FilePath) throws(BackupError) -> FileDescriptor {
        let file: FileDescriptor
        do {
            file = try FileDescriptor.open(path, .readOnly, options: [.closeOnExec, .nonBlocking])
        } catch Errno.noSuchFileOrDirectory, Errno.notDirectory {
            throw .missing
        } catch {
            throw .io(error as? Errno ?? .ioError, "opening \(path)")
        }
        var status = stat()
        guard unsafe fstat(file.rawValue, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            try? file.close()
            throw .notABackup
        }
        return file
    }

    deinit { try? file.close() }

    /// Hands out each piece; returns when the end was seen.
    func readAll(
        progress: Backup.Progress, _ body: (BackupPiece, UnsafeRawBufferPointer) throws(BackupError) -> Void
    ) throws(BackupError) {
        while let piece = try next() {
            let start = BackupPiece.digestSize + BackupPiece.headSize
            try unsafe buffer.withRawBytes { (bytes) throws(BackupError) in
                try unsafe body(piece, UnsafeRawBufferPointer(rebasing: bytes[start..<(start + piece.count)]))
            }
            buffer.replaceSubrange(0..<BackupPiece.digestSize, with: digest)
            done += UInt64(piece.count)
            guard progress(done, summary.bytes) else { throw .interrupted }
        }
        var more = [UInt8](repeating: 0, count: 1)
        guard done == summary.bytes, try BackupReader.read(file, into: &more, 0..<1) == 0 else {
            throw .damaged("its end is not where it was written")
        }
    }

    /// Reads and checks the next piece; nil for the end.
    private func next() throws(BackupError) -> BackupPiece? {
        let start = BackupPiece.digestSize
        let first = start + BackupPiece.headSize
        guard try BackupReader.read(file, into: &buffer, start..<first) == BackupPiece.headSize else {
            throw .damaged("it is cut short behind \(done) of \(summary.bytes) bytes")
        }
        guard let piece = BackupPiece(head: Array(buffer[start..<first])), isInOrder(piece) else {
            throw .damaged("it was changed behind \(done) of \(summary.bytes) bytes")
        }
        let end = first + piece.count
        digest = [UInt8](repeating: 0, count: BackupPiece.digestSize)
        guard try BackupReader.read(file, into: &buffer, first..<end) == piece.count,
            try BackupReader.read(file, into: &digest, 0..<BackupPiece.digestSize) == BackupPiece.digestSize
        else { throw .damaged("it is cut short behind \(done) of \(summary.bytes) bytes") }
        guard unsafe Digest.blake2b256(buffer.span.bytes.extracting(0..<end)) == digest else {
            throw .damaged("it was changed behind \(done) of \(summary.bytes) bytes")
        }
        pieces += 1
        if piece.kind == .end { return nil }
        ends[piece.kind] = piece.offset + UInt64(piece.count)
        return piece
    }

    /// Pieces of a file follow each other; the database has no holes.
    private func isInOrder(_ piece: BackupPiece) -> Bool {
        switch piece.kind {
        case .end: piece.offset == pieces
        case .database: piece.offset == ends[.database] ?? 0
        case .journal, .reserve:
            piece.offset >= ends[piece.kind] ?? 0 && piece.offset < UInt64(BackupSource.smallLimit)
        case .chunks: piece.offset >= ends[.chunks] ?? 0
        }
    }

    private static func read(
        _ file: FileDescriptor, into bytes: inout [UInt8], _ range: Range<Int>
    ) throws(BackupError) -> Int {
        var done = range.lowerBound
        var isAtEnd = false
        while done < range.upperBound, !isAtEnd {
            try unsafe bytes.withMutableRawBytes { (bytes) throws(BackupError) in
                let rest = unsafe UnsafeMutableRawBufferPointer(rebasing: bytes[done..<range.upperBound])
                do {
                    let count = try unsafe file.read(into: rest)
                    done += count
                    isAtEnd = count == 0
                } catch {
                    throw .io(error as? Errno ?? .ioError, "reading the backup")
                }
            }
        }
        return done - range.lowerBound
    }
}

extension Backup {
    /// What the beginning of a backup tells.
    ///
    /// - Throws: `missing`, `notABackup`, `newerFormat`, `damaged`, `io`.
    public static func summary(of path: FilePath) throws(BackupError) -> Summary { try BackupReader(path).summary }

    /// Reads a backup to its end, and compares every digest.
    ///
    /// - Throws: `missing`, `notABackup`, `newerFormat`, `damaged`, `interrupted`, `io`.
    @discardableResult
    public static func check(_ path: FilePath, progress: Progress) throws(BackupError) -> Summary {
        let reader = try BackupReader(path)
        try unsafe reader.readAll(progress: progress) { _, _ in }
        return reader.summary
    }
}
