internal import Dispatch
internal import Synchronization

/// Runs something asynchronous for a verb, which is not: until its end, or Ctrl-C.
enum Foreground {
    /// - Parameter progress: what is being done, in words; shown on a terminal where it takes long.
    static func run<R: Sendable>(
        progress: @escaping @Sendable () -> String? = { nil }, _ body: @escaping @Sendable () async throws -> R
    ) throws -> R {
        let answer = Answer<Result<R, any Error>>()
        let task = Task.detached {
            do { answer.give(.success(try await body())) } catch { answer.give(.failure(error)) }
        }
        let start = ContinuousClock.now
        var isCancelled = false
        while true {
            if let result = answer.given {
                Console.endProgress()
                if isCancelled { throw Silent(code: 130) }
                return try result.get()
            }
            if let text = progress(), start.duration(to: .now) > .seconds(1) { Console.progress(text) }
            guard Interrupts.wait(.milliseconds(10)) else { continue }
            // The second time, who asked is not kept waiting.
            if isCancelled { throw Silent(code: 130) }
            isCancelled = true
            task.cancel()
        }
    }
}

/// What a thread waits for and a task gives.
final class Answer<Value: Sendable>: Sendable {
    private let value = Mutex<Value?>(nil)
    private let isThere = DispatchSemaphore(value: 0)

    func give(_ value: Value) {
        self.value.withLock { $0 = value }
        isThere.signal()
    }

    var given: Value? { value.withLock { $0 } }

    func wait() -> Value {
        while true {
            isThere.wait()
            if let given { return given }
        }
    }
}
