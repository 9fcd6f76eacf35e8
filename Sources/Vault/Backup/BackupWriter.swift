internal import Format
internal import Glibc
internal import Sealing
internal import SystemPackage

/// Writes a backup, piece by piece: no more of the vault is in memory than one.
struct BackupWriter {
    private let file: FileDescriptor
    private let summary: Backup.Summary
    private let progress: Backup.Progress
    /// The digest of the last piece, then the head and the bytes of the next one.
    private var buffer = [UInt8](
        repeating: 0, count: BackupPiece.digestSize + BackupPiece.headSize + BackupPiece.limit)
    private var pieces: UInt64 = 0
    private var done: UInt64 = 0

    /// - Parameter file: new and empty.
    init(
        _ file: FileDescriptor, _ summary: Backup.Summary, progress: @escaping Backup.Progress
    ) throws(BackupError) {
        (self.file, self.summary, self.progress) = (file, summary, progress)
        let header = BackupHeader(summary).encoded
        try BackupWriter.write(header[...], to: file)
        buffer.replaceSubrange(
            0..<BackupPiece.digestSize, with: header[(BackupHeader.size - BackupPiece.digestSize)...])
    }

    /// Adds bytes of one of the vault's files, which `fill` reads.
    mutating func add(
        _ kind: BackupPiece.Kind, at offset: UInt64, count: Int,
        _ fill: (UnsafeMutableRawBufferPointer) throws(BackupError) -> Void
    ) throws(BackupError) {
        let start = BackupPiece.digestSize + BackupPiece.headSize
        try unsafe buffer.withMutableRawBytes { (bytes) throws(BackupError) in
            try unsafe fill(UnsafeMutableRawBufferPointer(rebasing: bytes[start..<(start + count)]))
        }
        try seal(BackupPiece(kind, count: count, offset: offset))
        done += UInt64(count)
        guard progress(done, 2 * summary.bytes) else { throw .interrupted }
    }

    /// Nothing comes behind this. Returns when all of it is on the disk.
    mutating func finish() throws(BackupError) {
        try seal(BackupPiece(.end, count: 0, offset: pieces))
        guard fsync(file.rawValue) == 0 else { throw .io(Errno(rawValue: errno), "writing the backup") }
    }

    private mutating func seal(_ piece: BackupPiece) throws(BackupError) {
        let start = BackupPiece.digestSize
        buffer.replaceSubrange(start..<(start + BackupPiece.headSize), with: piece.head)
        let end = start + BackupPiece.headSize + piece.count
        let digest = unsafe Digest.blake2b256(buffer.span.bytes.extracting(0..<end))
        try BackupWriter.write(buffer[start..<end], to: file)
        try BackupWriter.write(digest[...], to: file)
        buffer.replaceSubrange(0..<start, with: digest)
        pieces += 1
    }

    private static func write(_ bytes: ArraySlice<UInt8>, to file: FileDescriptor) throws(BackupError) {
        do { _ = try file.writeAll(bytes) } catch { throw .io(error as? Errno ?? .ioError, "writing the backup") }
    }
}
