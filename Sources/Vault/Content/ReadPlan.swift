internal import Format

/// Which parts of which stored chunks a read consists of.
struct ReadPlan: Sendable {
    struct Piece {
        var slot: Int64
        var index: Int
        /// The first byte within the chunk.
        var skip: Int
        /// Where it goes.
        var range: Range<Int>
    }

    let file: Identifier
    let length: Int
    /// Every byte is in a piece.
    var isWhole: Bool { pieces.reduce(0) { $0 + $1.range.count } == length }
    private(set) var pieces: [Piece] = []

    /// Nil for what is not just stored chunks: changed content, and small files.
    init?(_ stored: ContentState.StoredContent, _ state: ContentState, offset: UInt64, count: Int) {
        guard state.dirty.isEmpty, stored.reference.kind == .chunks, offset < state.size, count > 0 else { return nil }
        file = stored.reference.origin
        length = Int(min(UInt64(count), state.size - offset))
        let chunkSize = Limits.chunkSize
        var done = 0
        while done < length {
            let position = offset + UInt64(done)
            let (index, skip) = (Int(position / UInt64(chunkSize)), Int(position % UInt64(chunkSize)))
            let part = min(chunkSize - skip, length - done)
            // Behind `valid` the content is zero: it was cut there and made longer again.
            let valid = Int(min(UInt64(part), stored.valid > position ? stored.valid - position : 0))
            if valid > 0, index < stored.chunks.count, stored.chunks[index] != 0 {
                pieces.append(
                    Piece(slot: stored.chunks[index], index: index, skip: skip, range: done..<(done + valid)))
            }
            done += part
        }
    }
}
