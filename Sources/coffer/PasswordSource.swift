internal import ArgumentParser
internal import Foundation
internal import Glibc
internal import Sealing
internal import SystemPackage

/// Where the master password comes from: a file, a command, the terminal, or the first line of standard
/// input; never the command line or the environment, which other processes can read.
struct PasswordOptions: ParsableArguments {
    @Option(
        name: .long, help: ArgumentHelp("Read the master password from the first line of a file.", valueName: "file"),
        completion: .file())
    var passwordFile: String?

    @Option(
        name: .long, help: ArgumentHelp("Run a command; its first line of output is the password.", valueName: "cmd"))
    var passwordCommand: String?

    func validate() throws {
        guard passwordFile == nil || passwordCommand == nil else {
            throw ValidationError("--password-file and --password-command both give the password; take one of them.")
        }
    }

    /// Reads the password from wherever the options say.
    ///
    /// - Parameter locked: the vault that it is to unlock, where that is why it is needed.
    func read(prompt: String = "Master password: ", locked: FilePath? = nil) throws -> MasterPassword {
        try MasterPassword.from(readLine(prompt: prompt, locked: locked))
    }

    /// The password's bytes, for handing them on to the process that mounts.
    func readLine(prompt: String, locked: FilePath? = nil) throws -> SecretBytes {
        if let passwordFile { return try SecretLine.read(file: passwordFile) }
        if let passwordCommand { return try SecretLine.read(command: passwordCommand) }
        return try SecretLine.ask(prompt, orThrow: .nobodyToAsk("the master password", locked: locked))
    }

    /// A new password: twice on a terminal, once from anywhere else.
    func readNew(prompt: String = "New master password: ") throws -> SecretBytes {
        let first = try readLine(prompt: prompt)
        guard passwordFile == nil, passwordCommand == nil, isatty(STDIN_FILENO) == 1 else { return first }
        let second = try readLine(prompt: "The same again: ")
        guard first.isEqual(to: second) else {
            throw Failure(.weakPassword, "The two passwords differ; nothing was changed.")
        }
        return first
    }
}

extension MasterPassword {
    static func from(_ line: borrowing SecretBytes) throws -> MasterPassword {
        do throws(PasswordError) {
            return try line.withBytes { (bytes) throws(PasswordError) in try MasterPassword(utf8: bytes) }
        } catch {
            throw Failure(error)
        }
    }
}

extension Failure {
    /// There is neither a terminal nor anything on standard input.
    ///
    /// - Parameters:
    ///   - options: what gives the answer beforehand.
    ///   - locked: the vault that is locked, where that is why something is asked for.
    static func nobodyToAsk(
        _ what: String, options: String = "--password-file or --password-command", locked: FilePath? = nil
    ) -> Failure {
        let state = locked.map { "The vault \($0) is locked, and there" } ?? "There"
        return Failure(
            .weakPassword, "\(state) is no terminal to ask for \(what); standard input is empty, too.",
            hint: "Run this on a terminal, or give \(options).")
    }

    init(_ error: PasswordError) {
        switch error {
        case .empty: self.init(.weakPassword, "The master password is empty.")
        case .tooLong: self.init(.weakPassword, "The master password is longer than 1,024 bytes.")
        case .tooWeak(let why):
            self.init(
                .weakPassword, "This master password is too weak: \(why)",
                hint: "Take five or more random words, or override with --allow-weak-password.")
        }
    }
}

/// Reads one line into wiped memory.
enum SecretLine {
    /// The longest line that is taken, in bytes.
    static let limit = 4096

    static func read(file: String) throws -> SecretBytes {
        let descriptor: FileDescriptor
        do {
            descriptor = try FileDescriptor.open(FilePath(file), .readOnly, options: [.closeOnExec])
        } catch {
            throw Failure(.otherError, "The password file \(file) cannot be read: \(error).")
        }
        defer { try? descriptor.close() }
        warnOfReaders(descriptor.rawValue, file)
        return try read(descriptor: descriptor.rawValue, file)
    }

    /// Secrets of containers are for everybody to read in there (0444): so it is a warning.
    private static func warnOfReaders(_ descriptor: Int32, _ file: String) {
        var status = stat()
        guard unsafe fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG,
            status.st_mode & 0o044 != 0
        else { return }
        Console.say("Warning: others can read the password file \(file) (chmod 600).")
    }

    static func read(command: String) throws -> SecretBytes {
        var child = try Subprocess.start(["/bin/sh", "-c", command])
        defer { child.close() }
        let line = try read(descriptor: child.output, "the password command")
        // It would wait for ever to get rid of more than a pipe holds; one that never ends gets SIGPIPE.
        var rest = 1 << 20
        while rest > 0, child.readByte() != nil { rest -= 1 }
        child.close()
        guard child.wait() == 0 else {
            // Its text may have a password in it.
            throw Failure(.otherError, "The command that gives the password failed.")
        }
        return line
    }

    /// Asks on the terminal, or takes a line of standard input.
    ///
    /// - Parameter failure: where there is neither.
    static func ask(_ prompt: String, orThrow failure: @autoclosure () -> Failure) throws -> SecretBytes {
        if isatty(STDIN_FILENO) == 1 { return try read(terminal: prompt) }
        guard let first = try readByte(STDIN_FILENO, "standard input") else { throw failure() }
        return try read(descriptor: STDIN_FILENO, "standard input", behind: first)
    }

    /// Byte by byte, so that nothing behind the line is taken from whoever reads on.
    ///
    /// - Parameter first: a byte that was read before.
    static func read(descriptor: Int32, _ source: String, behind first: UInt8? = nil) throws -> SecretBytes {
        var buffer = SecretBytes(count: limit)
        var count = 0
        var next = try first ?? readByte(descriptor, source)
        while let byte = next, byte != 0x0A {
            buffer.setByte(byte, at: count)
            count += 1
            next = count < limit ? try readByte(descriptor, source) : nil
        }
        if count > 0, buffer.byte(at: count - 1) == 0x0D { count -= 1 }
        return buffer.withBytes { line in
            SecretBytes(copying: line.extracting(byteOrderMark(line.extracting(first: count))..<count))
        }
    }

    /// How many bytes of U+FEFF stand before the line: editors of Windows write it before a text in UTF-8, where nobody
    /// sees it, and nobody has chosen it as a part of a password.
    private static func byteOrderMark(_ line: RawSpan) -> Int {
        unsafe line.withUnsafeBytes { unsafe $0.starts(with: [0xEF, 0xBB, 0xBF]) } ? 3 : 0
    }

    private static func readByte(_ descriptor: Int32, _ source: String) throws -> UInt8? {
        var byte: UInt8 = 0
        while true {
            let count = unsafe Glibc.read(descriptor, &byte, 1)
            if count == 1 { return byte }
            if count == 0 { return nil }
            if errno != EINTR { throw Failure(.otherError, "\(source) cannot be read: \(Errno(rawValue: errno)).") }
        }
    }

    /// Without echo. The terminal is in raw mode meanwhile, and signals that would end the program are waited for, so that
    /// nothing can leave it without echo behind.
    static func read(terminal prompt: String) throws -> SecretBytes {
        guard let terminal = unsafe try? FileDescriptor.open("/dev/tty", .readWrite, options: [.closeOnExec]) else {
            return try read(descriptor: STDIN_FILENO, "standard input")
        }
        defer { try? terminal.close() }
        return try Interrupts.blocked { try readWithoutEcho(terminal, prompt) }
    }

    private static func readWithoutEcho(_ terminal: FileDescriptor, _ prompt: String) throws -> SecretBytes {
        var before = termios()
        guard unsafe tcgetattr(terminal.rawValue, &before) == 0 else {
            return try read(descriptor: terminal.rawValue, "the terminal")
        }
        var raw = before
        raw.c_lflag &= ~tcflag_t(ECHO | ICANON | ISIG | ECHONL)
        unsafe tcsetattr(terminal.rawValue, TCSAFLUSH, &raw)
        defer { unsafe tcsetattr(terminal.rawValue, TCSAFLUSH, &before) }
        _ = try terminal.writeAll(Array(prompt.utf8))
        defer { _ = try? terminal.writeAll([0x0A]) }
        return try typed(terminal.rawValue)
    }

    private static func typed(_ terminal: Int32) throws -> SecretBytes {
        var buffer = SecretBytes(count: limit)
        var count = 0
        while count < limit {
            // The signal is delivered once the terminal is as it was.
            guard Interrupts.waitForInput(terminal) else { throw Silent(code: 128 + SIGTERM) }
            guard let byte = try readByte(terminal, "the terminal") else { break }
            switch byte {
            case 0x0A, 0x0D: return buffer.prefix(count)
            case 0x03: throw Silent(code: 128 + SIGINT)
            case 0x1C: throw Silent(code: 128 + SIGQUIT)
            // Ctrl-Z would stop the program with the terminal as it is now.
            case 0x1A: continue
            case 0x04 where count == 0: throw Failure(.weakPassword, "The master password is empty.")
            case 0x15: count = 0
            case 0x17:
                while count > 0, buffer.byte(at: count - 1) == 0x20 { count -= 1 }
                while count > 0, buffer.byte(at: count - 1) != 0x20 { count -= 1 }
            case 0x7F, 0x08:
                // One character may be several bytes of UTF-8.
                while count > 0, buffer.byte(at: count - 1) & 0xC0 == 0x80 { count -= 1 }
                count = max(0, count - 1)
            default:
                buffer.setByte(byte, at: count)
                count += 1
            }
        }
        return buffer.prefix(count)
    }
}

extension SecretBytes {
    mutating func setByte(_ byte: UInt8, at index: Int) {
        withMutableBytes { $0.storeBytes(of: byte, toByteOffset: index, as: UInt8.self) }
    }

    borrowing func byte(at index: Int) -> UInt8 {
        withBytes { unsafe $0.unsafeLoad(fromByteOffset: index, as: UInt8.self) }
    }

    borrowing func prefix(_ count: Int) -> SecretBytes {
        withBytes { SecretBytes(copying: $0.extracting(0..<count)) }
    }
}
