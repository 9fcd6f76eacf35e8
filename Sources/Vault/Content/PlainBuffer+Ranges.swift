internal import Sealing

/// Copies between wiped buffers; ranges are checked, what is missing reads as zeroes.
extension PlainBuffer {
    /// Keeps `count` bytes from `start` on, or what there is of them.
    mutating func cut(from start: Int, count wanted: Int) {
        let length = max(0, min(wanted, count - start))
        if start > 0, length > 0 {
            unsafe withUnsafeMutableBytes { bytes in
                guard let base = bytes.baseAddress else { return }
                unsafe base.copyMemoryOverlapping(from: base + start, count: length)
            }
        }
        resize(to: length)
    }

    /// Copies `count` bytes of `other` from `skip` on to `position`.
    mutating func copy(from other: borrowing PlainBuffer, skip: Int, count wanted: Int, to position: Int) {
        let length = max(0, min(wanted, other.count - skip, count - position))
        guard length > 0 else { return }
        unsafe withUnsafeMutableBytes { target in
            unsafe other.withUnsafeBytes { source in
                unsafe UnsafeMutableRawBufferPointer(rebasing: target[position..<(position + length)]).copyMemory(
                    from: UnsafeRawBufferPointer(rebasing: source[skip..<(skip + length)]))
            }
        }
    }

    /// Copies the bytes from `skip` on into all of `target`.
    func copyOut(skip: Int, into target: UnsafeMutableRawBufferPointer) {
        unsafe withUnsafeBytes { source in
            let length = max(0, min(target.count, source.count - skip))
            if length > 0 {
                unsafe UnsafeMutableRawBufferPointer(rebasing: target[..<length]).copyMemory(
                    from: UnsafeRawBufferPointer(rebasing: source[skip..<(skip + length)]))
            }
            if length < target.count {
                unsafe UnsafeMutableRawBufferPointer(rebasing: target[length...]).initializeMemory(
                    as: UInt8.self, repeating: 0)
            }
        }
    }

    /// Overwrites the bytes at `position`; the buffer is long enough.
    mutating func replace(at position: Int, with bytes: RawSpan) {
        let length = min(bytes.byteCount, count - position)
        guard length > 0 else { return }
        unsafe withUnsafeMutableBytes { target in
            unsafe bytes.withUnsafeBytes { source in
                unsafe UnsafeMutableRawBufferPointer(rebasing: target[position..<(position + length)]).copyMemory(
                    from: UnsafeRawBufferPointer(rebasing: source[..<length]))
            }
        }
    }
}

extension UnsafeMutableRawPointer {
    /// memmove(3): source and target may overlap.
    func copyMemoryOverlapping(from source: UnsafeMutableRawPointer, count: Int) {
        unsafe copyMemory(from: UnsafeRawPointer(source), byteCount: count)
    }
}
