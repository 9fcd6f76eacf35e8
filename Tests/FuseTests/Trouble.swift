import Dispatch
import Synchronization
import SystemPackage

/// Requests that do not end at once, or end badly.
///
/// | What | Effect |
/// |---|---|
/// | the name `errno N` | looking it up throws that number |
/// | the name `go on` | looking it up lets those who wait go on |
/// | the content `wait` | reading it waits for that, after the turn was passed |
/// | a content of `w` only, 32 KiB and more at once | reading it waits for that; such requests pass the turn by themselves |
final class Trouble: Sendable {
    private let turn = Mutex(Turn())
    private let waiting = Mutex(0)
    private let goOn = DispatchSemaphore(value: 0)
    private let arrived = DispatchSemaphore(value: 0)

    private struct Turn { var pass: @Sendable () -> Void = {} }

    /// - Parameter passTurn: ``Session/passTurn()``.
    func connect(_ passTurn: @escaping @Sendable () -> Void) { turn.withLock { $0.pass = passTurn } }

    func meet(_ name: String) throws(Errno) {
        if name == "go on" {
            for _ in 0..<waiting.withLock({ $0 }) { goOn.signal() }
        } else if name.hasPrefix("errno "), let number = Int32(name.dropFirst(6)) {
            throw Errno(rawValue: number)
        }
    }

    func meet(_ content: [UInt8], count: Int) throws(Errno) {
        if content == Array("wait".utf8) {
            turn.withLock { $0 }.pass()
        } else {
            guard count >= 32768, content.first == UInt8(ascii: "w"), content.last == UInt8(ascii: "w") else { return }
        }
        waiting.withLock { $0 += 1 }
        arrived.signal()
        // Where nobody else can be answered meanwhile, this one fails after a while instead of hanging.
        guard goOn.wait(timeout: .now() + 30) == .success else { throw .timedOut }
    }

    /// Returns when so many wait.
    func waitUntil(_ count: Int) -> Bool {
        (0..<count).allSatisfy { _ in arrived.wait(timeout: .now() + 300) == .success }
    }
}
