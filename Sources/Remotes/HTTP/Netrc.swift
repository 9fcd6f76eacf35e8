internal import Foundation
internal import Glibc
internal import SystemPackage

/// A file of netrc(5), which says who logs in where.
///
/// It is read here and not by libcurl, which gives the entry `default` to every host: what stands in it is not for a place
/// that somebody else has named. The file has passwords of other places, so its memory is wiped.
@safe
struct Netrc: ~Copyable {
    /// What is read of a file, in bytes; there are no logins in a longer one.
    static let limit = 1 << 20
    private let text: UnsafeMutableRawBufferPointer

    /// - Parameter path: nil for `~/.netrc`.
    /// - Returns: nil where there is no such file that can be read.
    init?(path: String?) {
        let path = path ?? Netrc.home + "/.netrc"
        // A pipe that nobody writes to is not waited for.
        guard let file = try? FileDescriptor.open(FilePath(path), .readOnly, options: [.closeOnExec, .nonBlocking])
        else { return nil }
        defer { try? file.close() }
        var status = stat()
        guard unsafe fstat(file.rawValue, &status) == 0, status.st_mode & S_IFMT == S_IFREG,
            (1...Netrc.limit).contains(Int(status.st_size))
        else { return nil }
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: Int(status.st_size), alignment: 1)
        unsafe buffer.initializeMemory(as: UInt8.self, repeating: 0x20)
        // Where it became shorter meanwhile, blanks are behind it.
        _ = unsafe try? file.read(fromAbsoluteOffset: 0, into: buffer)
        unsafe text = buffer
    }

    /// As libcurl has it: what the environment says comes first.
    private static var home: String { ProcessInfo.processInfo.environment["HOME"] ?? NSHomeDirectory() }

    deinit {
        if let start = unsafe text.baseAddress { unsafe explicit_bzero(start, text.count) }
        unsafe text.deallocate()
    }

    /// Who logs in at a host, and with what password.
    struct Login: Equatable {
        var user: String
        var password: [UInt8]
    }

    /// The first entry for a host and a user.
    ///
    /// - Parameters:
    ///   - host: in lower case.
    ///   - user: nil takes any.
    ///   - takesDefault: whether the entry for all other hosts will do.
    borrowing func login(for host: String, user: String?, takesDefault: Bool) -> Login? {
        var words = unsafe Words(UnsafeRawBufferPointer(text))
        var (isMeant, name, password): (Bool, [UInt8]?, [UInt8]?) = (false, nil, nil)
        func found() -> Login? {
            guard isMeant, let password, let login = user ?? name.map({ String(decoding: $0, as: UTF8.self) }),
                name.map({ $0 == Array(login.utf8) }) ?? true
            else { return nil }
            return Login(user: login, password: password)
        }
        while let word = words.next() {
            // Compared as bytes: of a file with mistakes in it, a part of a password may stand here.
            switch word {
            case Netrc.machine, Netrc.others:
                if let login = found() { return login }
                (name, password) = (nil, nil)
                isMeant = word == Netrc.others ? takesDefault : words.next().map { Netrc.is($0, host) } ?? false
            case Netrc.name: name = words.next()
            // Those of other places are read over: nothing wipes a word.
            case Netrc.password: if isMeant { password = words.next() } else { words.skip() }
            case Netrc.account: _ = words.next()
            case Netrc.macro: words.skipMacro()
            default: break
            }
        }
        return found()
    }

    private static let (machine, others) = (Array("machine".utf8), Array("default".utf8))
    private static let (name, password) = (Array("login".utf8), Array("password".utf8))
    private static let (account, macro) = (Array("account".utf8), Array("macdef".utf8))

    private static func `is`(_ word: [UInt8], _ host: String) -> Bool {
        String(decoding: word, as: UTF8.self).lowercased() == host
    }
}

/// The words of the file: between blanks, or in quotation marks, where a backslash takes the next character as it is.
@safe
private struct Words {
    private let text: UnsafeRawBufferPointer
    private var place = 0

    init(_ text: UnsafeRawBufferPointer) { unsafe self.text = text }

    private var byte: UInt8? { unsafe place < text.count ? text[place] : nil }

    mutating func next() -> [UInt8]? {
        guard goToWord() else { return nil }
        return byte == UInt8(ascii: "\"") ? quoted() : plain()
    }

    /// Reads over a word.
    mutating func skip() {
        guard goToWord() else { return }
        guard byte == UInt8(ascii: "\"") else {
            while let byte, byte > 0x20 { place += 1 }
            return
        }
        place += 1
        while let byte, byte != UInt8(ascii: "\"") { place += byte == UInt8(ascii: "\\") ? 2 : 1 }
        place += 1
    }

    /// - Returns: false at the end.
    private mutating func goToWord() -> Bool {
        // A comment begins a line: passwords may begin with its sign.
        var isLineStart = place == 0
        while let byte, byte <= 0x20 || isLineStart && byte == UInt8(ascii: "#") {
            if byte == UInt8(ascii: "#") {
                skipLine()
            } else {
                place += 1
                isLineStart = isLineStart || byte == 0x0A
            }
        }
        return byte != nil
    }

    private mutating func plain() -> [UInt8] {
        var word: [UInt8] = []
        while let byte, byte > 0x20 {
            word.append(byte)
            place += 1
        }
        return word
    }

    private mutating func quoted() -> [UInt8] {
        var word: [UInt8] = []
        place += 1
        while let byte, byte != UInt8(ascii: "\"") {
            place += 1
            guard byte == UInt8(ascii: "\\"), let next = self.byte else {
                word.append(byte)
                continue
            }
            place += 1
            switch next {
            case UInt8(ascii: "n"): word.append(0x0A)
            case UInt8(ascii: "r"): word.append(0x0D)
            case UInt8(ascii: "t"): word.append(0x09)
            default: word.append(next)
            }
        }
        place += 1
        return word
    }

    private mutating func skipLine() { while let byte, byte != 0x0A { place += 1 } }

    /// Up to an empty line.
    mutating func skipMacro() {
        while byte != nil {
            skipLine()
            place += 1
            if byte == 0x0A { return }
        }
    }
}
