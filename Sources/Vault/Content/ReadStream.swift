internal import Format
internal import Sealing
internal import Synchronization
internal import SystemPackage

/// Reading ahead in a large file that is read from front to back. One core opens chunks at about 1.2 GB/s and the
/// kernel asks for the next part only when the last one is used up; with this the next two parts are being opened on
/// other threads meanwhile.
///
/// The kernel's requests come 128 KiB at a time, and on several threads: a little out of order.
struct ReadStream {
    /// A part that is ready, or that a thread is at work on: who wants it waits for its lock.
    final class Part: Sendable {
        let offset: UInt64
        /// ``ContentState/changes`` when it was planned.
        let changes: UInt64
        let bytes = Mutex(PlainBuffer(capacity: 0))

        init(offset: UInt64, changes: UInt64) {
            self.offset = offset
            self.changes = changes
        }
    }

    /// The most that is kept for one open file: this many parts of at most ``partLimit`` bytes.
    static let partCount = 3
    static let partLimit = 1 << 20

    private var parts: [Part] = []
    /// Where the last request ended.
    private var end: UInt64 = 0
    /// How many requests in a row went on where another one had ended, about.
    private var run = 0

    /// Notes a request, and gives the part that was made ready for it.
    mutating func take(offset: UInt64, count: Int) -> Part? {
        let distance = offset > end ? offset - end : end - offset
        if distance <= UInt64(2 * count) {
            run += 1
        } else {
            run = 0
            parts.removeAll()
        }
        end = max(offset + UInt64(count), run == 0 ? 0 : end)
        parts.removeAll { $0.offset < offset }
        guard let index = parts.firstIndex(where: { $0.offset == offset }) else { return nil }
        return parts.remove(at: index)
    }

    /// Where to read on behind a request that was answered; nil where nothing is to be read ahead. The very next part
    /// is left to the kernel, which asks for it as soon as it has this one's answer.
    func next(after offset: UInt64, count: Int) -> UInt64? {
        guard run >= 2, count <= ReadStream.partLimit, parts.count < ReadStream.partCount else { return nil }
        let step = UInt64(count)
        let next = max(parts.map { $0.offset + step }.max() ?? 0, offset + 2 * step)
        return next <= end + 2 * step ? next : nil
    }

    mutating func append(_ part: Part) { parts.append(part) }
}

extension Vault {
    /// A large request was answered: reads on, where somebody reads the file from front to back.
    public func prepareToRead(_ node: Node, after offset: UInt64, count: Int) {
        guard count >= Limits.chunkSize, let content = knownContent(node) else { return }
        readAhead(content, after: offset, count: count)
    }

    private func readAhead(_ content: OpenContent, after offset: UInt64, count: Int) {
        guard let next = content.stream.withLock({ $0.next(after: offset, count: count) }) else { return }
        let plan = content.withLockIfAvailable { state -> (ReadPlan, UInt64)? in
            guard let stored = state.stored,
                let plan = ReadPlan(stored, state, offset: next, count: count)
            else { return nil }
            return (plan, state.changes)
        }
        guard let plan = plan ?? nil else { return }
        let part = ReadStream.Part(offset: next, changes: plan.1)
        part.bytes.withLock { bytes in
            content.stream.withLock { $0.append(part) }
            do throws(Errno) { try read(plan.0, into: &bytes) } catch { bytes.resize(to: 0) }
        }
    }

    /// Takes what was read ahead; false where that is not there, not enough, or of an earlier content.
    func takeAhead(
        _ content: OpenContent, offset: UInt64, count: Int, into target: inout PlainBuffer
    ) -> Bool {
        guard count >= Limits.chunkSize, let part = content.stream.withLock({ $0.take(offset: offset, count: count) })
        else { return false }
        if part.bytes.withLockIfAvailable({ bytes in swap(&bytes, &target) }) == nil {
            // Another thread is at it: this one gets on with what comes behind it before it waits.
            readAhead(content, after: offset, count: count)
            part.bytes.withLock { bytes in swap(&bytes, &target) }
        }
        let isCurrent = content.withLock { state in
            state.changes == part.changes
                && (target.count >= count || offset + UInt64(target.count) == state.size)
        }
        if isCurrent, target.count > 0 {
            target.resize(to: min(target.count, count))
            return true
        }
        target.resize(to: 0)
        return false
    }
}
