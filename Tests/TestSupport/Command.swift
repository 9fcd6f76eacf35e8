import Foundation

/// A program to run, with all that decides what it does.
public struct Command: Sendable {
    /// A path, or a name that is looked up in PATH.
    public var program: String
    /// Its arguments, without the program's name.
    public var arguments: [String]
    /// All of its environment; nil passes on the test's own.
    public var environment: [String: String]?
    /// Where it runs; nil is where the test runs.
    public var directory: String?
    /// What its standard input gives before it ends.
    public var input: [UInt8]

    /// A command with its input as text.
    public init(
        _ program: String, _ arguments: [String] = [], environment: [String: String]? = nil, directory: String? = nil,
        input: String = ""
    ) {
        self.program = program
        self.arguments = arguments
        self.environment = environment
        self.directory = directory
        self.input = Array(input.utf8)
    }

    /// What a command left behind.
    public struct Result: Sendable {
        /// The exit code, or 128 + the signal's number.
        public let code: Int32
        /// All of standard output.
        public let output: [UInt8]
        /// All of standard error.
        public let errors: [UInt8]
        /// Standard output as text.
        public var text: String { String(decoding: output, as: UTF8.self) }
        /// Standard error as text.
        public var errorText: String { String(decoding: errors, as: UTF8.self) }
    }

    /// Runs the command to its end. A daemon that it leaves behind may keep its output open: what was written
    /// until the command itself ended is what counts.
    ///
    /// - Throws: ``TestFailure`` when it cannot be started or does not end in time; it is killed then.
    public func run(timeout: Duration = .patience) throws -> Result {
        let deadline = Deadline(after: timeout)
        let (childInput, input) = try Descriptor.pipe()
        let (output, childOutput) = try Descriptor.pipe()
        let (errors, childErrors) = try Descriptor.pipe()
        let child = try ChildProcess(
            self, .descriptors(input: childInput.number, output: childOutput.number, errors: childErrors.number))
        for descriptor in [input, output, errors] { descriptor.setNonblocking() }
        var collector = Collector(input: self.input[...])
        return try collector.collect(child, input, output, errors, until: deadline, name: "\(self)")
    }

    /// Runs the command again as long as it says that something is busy: a process that another test starts at this moment
    /// has this one's descriptors until it executes its program.
    public func runUnlessBusy() throws -> Result {
        for _ in 0..<50 {
            let result = try run()
            if !result.errorText.contains("busy") { return result }
        }
        return try run()
    }

    /// Runs the command and takes any code but `expected` as a failure, with all that it said.
    @discardableResult
    public func run(expecting expected: Int32, timeout: Duration = .patience) throws -> Result {
        let result = try run(timeout: timeout)
        guard result.code == expected else {
            throw TestFailure("\(self): code \(result.code), not \(expected)\n\(result.text)\(result.errorText)")
        }
        return result
    }

    /// Starts the command without waiting: no input, its output thrown away.
    public func start() throws -> ChildProcess {
        let null = try Descriptor(unsafe open("/dev/null", O_RDWR | O_CLOEXEC), "/dev/null")
        return try ChildProcess(self, .descriptors(input: null.number, output: null.number, errors: null.number))
    }
}

extension Command: CustomStringConvertible {
    /// As one would type it, without quotes.
    public var description: String { ([program] + arguments).joined(separator: " ") }
}

/// Feeds a child and gathers what it writes.
private struct Collector {
    var input: ArraySlice<UInt8>
    var output: [UInt8] = []
    var errors: [UInt8] = []

    init(input: ArraySlice<UInt8>) { self.input = input }

    mutating func collect(
        _ child: ChildProcess, _ feed: Descriptor, _ out: Descriptor, _ err: Descriptor,
        until deadline: Deadline, name: String
    ) throws -> Command.Result {
        var (readsOutput, readsErrors) = (true, true)
        while true {
            if input.isEmpty { feed.close() }  // the end of input
            var descriptors = [
                pollfd(fd: child.ended.number, events: Int16(POLLIN), revents: 0),
                // A negative descriptor is passed over.
                pollfd(fd: readsOutput ? out.number : -1, events: Int16(POLLIN), revents: 0),
                pollfd(fd: readsErrors ? err.number : -1, events: Int16(POLLIN), revents: 0),
                pollfd(fd: feed.number, events: Int16(POLLOUT), revents: 0),
            ]
            guard !deadline.hasPassed else { throw TestFailure("\(name): did not end in time\n\(text)") }
            poll(&descriptors, until: deadline)
            readsOutput = out.readAvailable(into: &output)
            readsErrors = err.readAvailable(into: &errors)
            if let code = child.exitCode, descriptors[0].revents != 0 {
                return Command.Result(code: code, output: output, errors: errors)
            }
            if feed.number >= 0 {
                if let sent = feed.writeAvailable(input) { input = input.dropFirst(sent) } else { feed.close() }
            }
        }
    }

    private var text: String { String(decoding: output + errors, as: UTF8.self) }
}
