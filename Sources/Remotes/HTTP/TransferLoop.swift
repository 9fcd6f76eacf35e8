internal import CCurl
internal import Glibc

/// The transfers' thread. Not `Sendable`: it is made and used on that thread.
struct TransferLoop {
    private let handle: MultiHandle
    private let desk: TransferDesk
    private let settings: TransferSettings
    private var waiting: [TransferJob] = []
    private var running: [(easy: Easy, job: TransferJob)] = []
    private var idle: [Easy] = []

    init(_ handle: MultiHandle, _ desk: TransferDesk, _ settings: TransferSettings) {
        self.handle = handle
        self.desk = desk
        self.settings = settings
    }

    consuming func run() {
        blockPipeSignal()
        // There are never more connections in use than requests under way; this is for those that are kept.
        unsafe coffer_multi_set_long(handle.multi, CURLMOPT_MAXCONNECTS, settings.parallel)
        while let jobs = desk.take() {
            waiting.append(contentsOf: jobs)
            dropCancelled()
            start()
            var count: Int32 = 0
            unsafe curl_multi_perform(handle.multi, &count)
            // Each end makes room for the next request, so that there is more to do at once.
            if collect() { continue }
            unsafe curl_multi_poll(handle.multi, nil, 0, 60_000, nil)
        }
        for entry in running { end(entry, .failure(.cancelled)) }
        for job in waiting { job.continuation.resume(returning: .failure(.cancelled)) }
        idle = []
        desk.destroy()
    }

    /// With CURLOPT_NOSIGNAL libcurl leaves SIGPIPE alone, which a TLS library may still raise; where it is blocked the
    /// write fails with EPIPE.
    private func blockPipeSignal() {
        var signals = sigset_t()
        unsafe sigemptyset(&signals)
        unsafe sigaddset(&signals, SIGPIPE)
        unsafe pthread_sigmask(SIG_BLOCK, &signals, nil)
    }

    private mutating func dropCancelled() {
        waiting.removeAll { job in
            if job.cancellation.isCancelled { job.continuation.resume(returning: .failure(.cancelled)) }
            return job.cancellation.isCancelled
        }
        for entry in running where entry.job.cancellation.isCancelled { end(entry, .failure(.cancelled)) }
        running.removeAll { $0.easy.exchange == nil }
    }

    private mutating func start() {
        while !waiting.isEmpty, running.count < settings.parallel {
            let job = waiting.removeFirst()
            guard let easy = idle.popLast() ?? Easy(settings) else {
                job.continuation.resume(returning: .failure(.dropped("no memory for a transfer")))
                continue
            }
            easy.prepare(job.request)
            guard unsafe curl_multi_add_handle(handle.multi, easy.handle) == CURLM_OK else {
                job.continuation.resume(returning: .failure(.dropped("no memory for a transfer")))
                continue
            }
            running.append((easy, job))
        }
    }

    /// Answers what has ended.
    ///
    /// - Returns: whether something has.
    private mutating func collect() -> Bool {
        var left: Int32 = 0
        var ended = false
        while let message = unsafe curl_multi_info_read(handle.multi, &left) {
            guard unsafe message.pointee.msg == CURLMSG_DONE else { continue }
            let (easy, code) = unsafe (message.pointee.easy_handle, coffer_result(message))
            guard let index = running.firstIndex(where: { unsafe $0.easy.handle == easy }) else { continue }
            let entry = running.remove(at: index)
            end(entry, entry.easy.finish(code))
            ended = true
        }
        return ended
    }

    private mutating func end(
        _ entry: (easy: Easy, job: TransferJob), _ result: Result<Response, TransferFailure>
    ) {
        unsafe curl_multi_remove_handle(handle.multi, entry.easy.handle)
        entry.easy.clear()
        idle.append(entry.easy)
        entry.job.continuation.resume(returning: result)
    }
}
