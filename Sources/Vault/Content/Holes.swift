internal import Format
internal import Sealing
internal import Synchronization
public import SystemPackage

/// Holes of large contents: chunks that no row stands for, and that read as zeroes. Smaller contents have none.
///
/// stat(2) needs to know how much they are and must not wait for the store, so their number is kept with the inode, in
/// units of 4 KiB. Each commit counts them anew, in the list that it writes. Between commits it is right, too: the kernel
/// keeps what it was told.
enum Holes {
    static let unit: UInt64 = 4096

    /// st_blocks: what `size` bytes take.
    static func blocks(size: UInt64, without holes: UInt32) -> UInt64 {
        let units = units(size)
        return (size > UInt64(Limits.inlineContent) ? units - min(units, UInt64(holes)) : units) * 8
    }

    /// In units, rounded up.
    static func units(_ size: UInt64) -> UInt64 { size / unit + (size % unit == 0 ? 0 : 1) }

    /// What the chunk at `index` takes of a content of `size` bytes, in units.
    static func units(ofChunk index: Int, size: UInt64) -> UInt64 {
        let start = UInt64(index) * UInt64(Limits.chunkSize)
        return units(min(UInt64(Limits.chunkSize), size > start ? size - start : 0))
    }

    /// The holes in a list of chunks.
    static func count(_ chunks: [Int64], size: UInt64) -> UInt32 {
        var holes: UInt64 = 0
        for index in chunks.indices where chunks[index] == 0 { holes += units(ofChunk: index, size: size) }
        return UInt32(clamping: holes)
    }
}

extension ContentState {
    /// Whether a chunk is a hole; what is stored is known.
    func isHole(_ index: Int, _ stored: StoredContent) -> Bool {
        if let changed = dirty[index] { return changed.bytes.count == 0 }
        switch stored.reference.kind {
        case .none: return true
        case .inline: return index > 0
        case .chunks:
            let isKept = index < min(stored.chunks.count, ContentCoding.chunkCount(stored.valid))
            return !isKept || stored.chunks[index] == 0
        }
    }
}

extension Vault {
    /// Before `count` bytes are written at `offset`: holes that are written into are none any more, and what is left out
    /// behind the end is some.
    func noteWrite(_ state: inout ContentState, offset: UInt64, count: Int) throws(Errno) {
        let chunk = UInt64(Limits.chunkSize)
        let end = offset + UInt64(count)
        guard count > 0, state.holes > 0 || offset > state.size else { return }
        let written = Int(offset / chunk)...Int((end - 1) / chunk)
        let known = ContentCoding.chunkCount(state.size)
        var holes = UInt64(state.holes)
        if written.lowerBound > known { holes += UInt64(written.lowerBound - known) * (chunk / Holes.unit) }
        if known > 0, state.holes > 0 {
            let stored = try loadStored(&state)
            // The last one may become longer; the others stay or are written into.
            let touched = Set(written.clamped(to: 0...(known - 1))).union([known - 1])
            for index in touched where state.isHole(index, stored) {
                let size = written.contains(index) ? 0 : max(state.size, end)
                holes += Holes.units(ofChunk: index, size: size)
                holes -= min(holes, Holes.units(ofChunk: index, size: state.size))
            }
        }
        state.holes = UInt32(clamping: holes)
    }

    /// Makes a chunk of a content a hole, with the next commit.
    func punch(_ state: inout ContentState, _ index: Int) throws(Errno) {
        let stored = try loadStored(&state)
        guard !state.isHole(index, stored) else { return }
        state.dirty[index] = DirtyChunk()
        state.isDirty = true
    }

    /// Counts the holes anew.
    func countHoles(_ state: inout ContentState) throws(Errno) {
        let stored = try loadStored(&state)
        var holes: UInt64 = 0
        for index in 0..<ContentCoding.chunkCount(state.size) where state.isHole(index, stored) {
            holes += Holes.units(ofChunk: index, size: state.size)
        }
        state.holes = UInt32(clamping: holes)
        noteContentChange(state)
    }

    /// lseek(2) with SEEK_DATA, or with SEEK_HOLE: where the next data begins at `offset` or behind it, or the next hole;
    /// one is at the end of the file. Holes are told apart in chunks of 64 KiB.
    ///
    /// - Throws: ENXIO behind the end, and where no data follows.
    public func seek(_ node: Node, from offset: UInt64, toHole: Bool) throws(Errno) -> UInt64 {
        let none = Errno(rawValue: 6)
        let inode = try tree.withLock { (tree) throws(Errno) in try tree.inode(node) }
        guard offset < inode.size else { throw none }
        guard inode.isRegular, inode.size > UInt64(Limits.inlineContent) else { return toHole ? inode.size : offset }
        return try openContent(node).withLock { (state) throws(Errno) in
            guard offset < state.size else { throw none }
            let stored = try loadStored(&state)
            let count = ContentCoding.chunkCount(state.size)
            let first = Int(offset / UInt64(Limits.chunkSize))
            let found = (first..<count).first { state.isHole($0, stored) == toHole }
            guard let found else {
                guard toHole else { throw none }
                return state.size
            }
            return max(offset, UInt64(found) * UInt64(Limits.chunkSize))
        }
    }
}
