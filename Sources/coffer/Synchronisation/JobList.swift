internal import Sealing

/// What verbs have asked for: numbered, done one after the other, and remembered for a while after their end.
struct JobList: Sendable {
    struct Job: Sendable {
        let number: UInt64
        let request: SyncRequest
        let secret: Secret
    }

    private static let remembered = 16

    private var last: UInt64 = 0
    private var waiting: [Job] = []
    private(set) var running: UInt64?
    private var ended: [SyncReply] = []

    mutating func add(_ request: SyncRequest, _ secret: Secret) -> UInt64 {
        last += 1
        waiting.append(Job(number: last, request: request, secret: secret))
        return last
    }

    mutating func takeNext() -> Job? {
        guard !waiting.isEmpty else { return nil }
        let job = waiting.removeFirst()
        running = job.number
        return job
    }

    mutating func end(_ number: UInt64, _ reply: SyncReply) {
        running = nil
        ended.append(reply)
        if ended.count > JobList.remembered { ended.removeFirst() }
    }

    /// - Returns: whether it is the one that runs, which its runner has to cancel.
    mutating func cancel(_ number: UInt64) -> Bool {
        if running == number { return true }
        guard let index = waiting.firstIndex(where: { $0.number == number }) else { return false }
        waiting.remove(at: index)
        end(number, .cancelled(number))
        return false
    }

    func reply(_ number: UInt64, progress: String?) -> SyncReply {
        if let reply = ended.first(where: { $0.job == number }) { return reply }
        if running == number { return SyncReply(job: number, progress: progress) }
        return SyncReply(job: waiting.contains { $0.number == number } ? number : nil)
    }
}

extension SyncReply {
    static func cancelled(_ number: UInt64) -> SyncReply {
        SyncReply(job: number, isDone: true, isCancelled: true)
    }
}

/// A secret on its way to the thread that needs it; wiped with its last user.
final class Secret: Sendable {
    let bytes: SecretBytes

    init(_ bytes: RawSpan) { self.bytes = SecretBytes(copying: bytes) }

    /// Up to the first line feed.
    var firstLine: SecretBytes { bytes.prefix(lineEnd) }

    /// What stands behind it, for who keeps it in the vault; nil where there is no second line.
    var secondLine: [UInt8]? {
        guard lineEnd < bytes.count else { return nil }
        return bytes.withBytes { bytes in
            unsafe bytes.extracting((lineEnd + 1)...).withUnsafeBytes { unsafe [UInt8]($0) }
        }
    }

    private var lineEnd: Int {
        var end = 0
        while end < bytes.count, bytes.byte(at: end) != 0x0A { end += 1 }
        return end
    }

    /// As a master password.
    func withMasterPassword<R, E: Error>(_ body: (borrowing MasterPassword) throws(E) -> R) throws -> R {
        let password = try MasterPassword.from(bytes)
        return try body(password)
    }
}
