internal import Foundation
internal import Glibc
internal import Synchronization
internal import SystemPackage

/// The user's terminal: messages go to standard error, results to standard output. Lines of either have names in them
/// that somebody else may have chosen: only what is safe to show of them is written (``printable(_:)``).
enum Console {
    static let isTerminal = isatty(STDERR_FILENO) == 1
    /// Colours only on a terminal, and never where NO_COLOR is set (<https://no-color.org>).
    static let usesColours = isTerminal && (ProcessInfo.processInfo.environment["NO_COLOR"] ?? "").isEmpty

    static func say(_ text: String) {
        write(printable(text) + "\n", to: STDERR_FILENO)
    }

    /// Why standard output has not got all results.
    private static let outputError = Mutex<Errno?>(nil)

    static func result(_ text: String) {
        unsafe result(Array((printable(text) + "\n").utf8).span.bytes)
    }

    /// Nothing is written behind what could not be: ``finish()`` says so.
    static func result(_ bytes: RawSpan) {
        guard outputError.withLock({ $0 == nil }) else { return }
        let error = writeAll(bytes, to: STDOUT_FILENO)
        outputError.withLock { $0 = error }
    }

    /// A verb whose results did not arrive has not done what it was asked.
    static func finish() throws {
        guard let error = outputError.withLock({ $0 }) else { return }
        // Whoever reads has what they want (`| head`): the code that SIGPIPE would give, and no word.
        guard error != .brokenPipe else { throw Silent(code: 128 + SIGPIPE) }
        throw Failure(.otherError, "The output could not be written: \(error).")
    }

    static func fail(_ failure: Failure) {
        let red = usesColours ? "\u{1B}[31m" : ""
        let plain = usesColours ? "\u{1B}[0m" : ""
        write("\(red)coffer:\(plain) \(printable(failure.message))\n", to: STDERR_FILENO)
        for line in failure.alarm?.lines ?? [] { say("        \(line)") }
        if let hint = failure.hint { say("        \(hint)") }
    }

    /// Asks a person, who sees what is typed. Where there is no terminal, nobody can be asked.
    ///
    /// - Parameter option: what gives the answer beforehand.
    static func ask(_ question: String, option: String) throws -> String {
        guard isatty(STDIN_FILENO) == 1, let line = prompt(question), !line.isEmpty else {
            throw Failure(.usage, "\(option) is missing.", hint: "Give it, or run this on a terminal.")
        }
        return line
    }

    private static func prompt(_ question: String) -> String? {
        write(question, to: STDERR_FILENO)
        return readLine(strippingNewline: true)?.trimmingCharacters(in: .whitespaces)
    }

    /// A line that is written over itself, and only on a terminal.
    static func progress(_ text: String) {
        guard isTerminal else { return }
        write("\r\u{1B}[K\(printable(text))", to: STDERR_FILENO)
    }

    static func endProgress() {
        guard isTerminal else { return }
        write("\r\u{1B}[K", to: STDERR_FILENO)
    }

    static func writeBytes(_ bytes: RawSpan, to descriptor: Int32) -> Bool {
        writeAll(bytes, to: descriptor) == nil
    }

    /// - Returns: why not all of it was written.
    private static func writeAll(_ bytes: RawSpan, to descriptor: Int32) -> Errno? {
        unsafe bytes.withUnsafeBytes { buffer in
            var rest = unsafe buffer
            while rest.count > 0 {
                let written = unsafe Glibc.write(descriptor, rest.baseAddress, rest.count)
                if written < 0, errno == EINTR { continue }
                guard written > 0 else { return written < 0 ? Errno(rawValue: errno) : .ioError }
                unsafe rest = UnsafeRawBufferPointer(rebasing: rest[written...])
            }
            return nil
        }
    }

    /// JSON with sorted keys and a line break at its end.
    static func json(_ value: some Encodable) {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        guard let data = try? encoder.encode(value) else { return }
        unsafe result((Array(data) + [0x0A]).span.bytes)
    }

    /// Control characters in names must not reach the terminal; nor what changes the direction of writing, or ends a line,
    /// and so shows one name as another (Boucher and Anderson 2021, "Trojan Source").
    static func printable(_ name: String) -> String {
        String(String.UnicodeScalarView(name.unicodeScalars.map { isShown($0) ? $0 : "?" }))
    }

    static func isShown(_ scalar: Unicode.Scalar) -> Bool {
        if scalar.properties.generalCategory == .control { return false }
        return switch scalar.value {
        case 0x061C, 0x200E, 0x200F, 0x2028...0x202E, 0x2066...0x2069: false
        default: true
        }
    }

    private static func write(_ text: String, to descriptor: Int32) {
        _ = unsafe writeBytes(Array(text.utf8).span.bytes, to: descriptor)
    }
}
