internal import Sealing

/// Puts two edits of one entry together, by the convention of entries: the first line is the password, lines of the form
/// `name: value` are fields, all else is notes. Nil where both sides changed the same field differently.
///
/// Works on places in the three texts; no text leaves its wiped buffer.
enum FieldMerge {
    /// One field: where its name and the whole of its line are.
    private struct Field {
        var name: Range<Int>
        var line: Range<Int>
    }

    static func merge(
        base: borrowing PlainBuffer, _ left: borrowing PlainBuffer, _ right: borrowing PlainBuffer
    ) -> PlainBuffer? {
        var merged = PlainBuffer(capacity: max(left.count, right.count) + 64)
        let isDone = base.withBytes { base in
            left.withBytes { left in
                right.withBytes { right in merge(base, left, right, into: &merged) }
            }
        }
        guard isDone else { return nil }
        return merged
    }

    private static func merge(_ base: RawSpan, _ left: RawSpan, _ right: RawSpan, into merged: inout PlainBuffer)
        -> Bool
    {
        guard let origin = fields(base), let mine = fields(left), let theirs = fields(right) else { return false }
        for field in mine {
            let name = left.extracting(field.name)
            let (old, other) = (line(named: name, in: origin, base), line(named: name, in: theirs, right))
            switch choose(left, field.line, right, other, base, old) {
            case .left: merged.append(left.extracting(field.line))
            case .right: if let other { merged.append(right.extracting(other)) }
            case .neither: return false
            }
        }
        // What only the other side has: new there, or gone here.
        for field in theirs {
            let name = right.extracting(field.name)
            guard line(named: name, in: mine, left) == nil else { continue }
            if let old = line(named: name, in: origin, base) {
                guard right.extracting(field.line).isEqual(to: base.extracting(old)) else { return false }
            } else {
                endLine(&merged)
                merged.append(right.extracting(field.line))
            }
        }
        return true
    }

    private enum Choice { case left, right, neither }

    /// Which side a line is taken from that the left side has, by the rules of a three-way merge.
    private static func choose(
        _ left: RawSpan, _ mine: Range<Int>, _ right: RawSpan, _ theirs: Range<Int>?, _ base: RawSpan,
        _ old: Range<Int>?
    ) -> Choice {
        let line = left.extracting(mine)
        guard let theirs else {
            guard let old else { return .left }
            return line.isEqual(to: base.extracting(old)) ? .right : .neither
        }
        let other = right.extracting(theirs)
        if line.isEqual(to: other) { return .left }
        guard let old else { return .neither }
        if line.isEqual(to: base.extracting(old)) { return .right }
        return other.isEqual(to: base.extracting(old)) ? .left : .neither
    }

    private static func line(named name: RawSpan, in fields: [Field], _ text: RawSpan) -> Range<Int>? {
        for field in fields where text.extracting(field.name).isEqual(to: name) { return field.line }
        return nil
    }

    private static func endLine(_ merged: inout PlainBuffer) {
        let ends = merged.withBytes { bytes in
            guard bytes.byteCount > 0 else { return true }
            return unsafe bytes.unsafeLoad(fromByteOffset: bytes.byteCount - 1, as: UInt8.self) == 0x0A
        }
        if !ends { merged.append(UInt8(0x0A)) }
    }

    /// The lines of a text as fields: the first one has an empty name, notes are named by themselves. Nil for what is no
    /// text, and for names that come twice.
    private static func fields(_ text: RawSpan) -> [Field]? {
        var fields: [Field] = []
        var start = 0
        while start < text.byteCount {
            var end = start
            var colon: Int?
            while end < text.byteCount {
                let byte = unsafe text.unsafeLoad(fromByteOffset: end, as: UInt8.self)
                guard byte != 0 else { return nil }
                if byte == 0x3A, colon == nil { colon = end }
                end += 1
                if byte == 0x0A { break }
            }
            let name = start == 0 ? 0..<0 : start..<(colon ?? end)
            guard line(named: text.extracting(name), in: fields, text) == nil || text.byteCount == 0 else { return nil }
            fields.append(Field(name: name, line: start..<end))
            start = end
            guard fields.count <= 1024 else { return nil }
        }
        return fields
    }
}
