internal import Sealing

/// What goes through the control file `command`, in both directions: a head of 12 bytes and two fields.
///
/// | Offset | Width | Request | Answer |
/// |---|---|---|---|
/// | 0 | 4 | "CFRQ" | "CFRA" |
/// | 4 | 1 | format, 1 | format, 1 |
/// | 5 | 1 | ``CommandVerb`` | ``CommandOutcome`` |
/// | 6 | 2 | 0 | errno, where the outcome is `failed` |
/// | 8 | 2 | length of the first field | the same |
/// | 10 | 2 | length of the second field | the same |
/// | 12 | … | both fields, and nothing behind them | the same |
///
/// Integers are little-endian. A password is never copied out of the bytes that it came in, but into its owner.
struct CommandMessage {
    /// The first four bytes.
    enum Direction: UInt32 {
        case request = 0x5152_4643
        case answer = 0x4152_4643
    }

    static let headSize = 12
    /// The longest field, in bytes: a password, a kit's text, what a service has to tell.
    static let fieldLimit = 32768
    /// The longest message, in bytes.
    static let limit = headSize + 2 * fieldLimit
    private static let format: UInt8 = 1

    /// Verb or outcome.
    let code: UInt8
    let errno: UInt16
    /// Where the fields are in the bytes that were read.
    let first: Range<Int>
    let second: Range<Int>

    /// nil for anything that is not one whole message; nothing is allocated or copied.
    init?(_ bytes: RawSpan, _ direction: Direction) {
        guard (CommandMessage.headSize...CommandMessage.limit).contains(bytes.byteCount) else { return nil }
        func byte(_ offset: Int) -> UInt8 { unsafe bytes.unsafeLoad(fromByteOffset: offset, as: UInt8.self) }
        func number(_ offset: Int) -> UInt16 { UInt16(byte(offset)) | UInt16(byte(offset + 1)) << 8 }
        let magic = UInt32(number(0)) | UInt32(number(2)) << 16
        guard magic == direction.rawValue, byte(4) == CommandMessage.format else { return nil }
        code = byte(5)
        errno = number(6)
        first = CommandMessage.headSize..<(CommandMessage.headSize + Int(number(8)))
        second = first.upperBound..<(first.upperBound + Int(number(10)))
        guard max(first.count, second.count) <= CommandMessage.fieldLimit, second.upperBound == bytes.byteCount,
            direction == .answer || errno == 0
        else { return nil }
    }

    /// The bytes of a message, in memory that is wiped.
    static func encode(
        _ direction: Direction, code: UInt8, errno: UInt16 = 0, _ first: RawSpan, _ second: RawSpan
    ) -> PlainBuffer {
        let (first, second) = (field(first), field(second))
        var message = PlainBuffer(capacity: headSize + first.byteCount + second.byteCount)
        message.append(direction.rawValue)
        message.append(format)
        message.append(code)
        message.append(errno)
        message.append(UInt16(first.byteCount))
        message.append(UInt16(second.byteCount))
        message.append(first)
        message.append(second)
        return message
    }

    /// No more than a field may have.
    @_lifetime(copy bytes)
    private static func field(_ bytes: RawSpan) -> RawSpan {
        bytes.extracting(first: min(bytes.byteCount, fieldLimit))
    }
}

/// What a request asks for; the numbers are part of the format.
enum CommandVerb: UInt8 {
    /// Fields: the present master password, the new one.
    case changePassword = 1
    /// Fields: the master password, the e-mail address. The answer's: the kit's text, the vault's fingerprint.
    case issueKit = 2
    /// Fields: a secret, which may be empty, and a request of the ``MountService``. The answer's first: the service's.
    case askService = 3
    /// The same for a kit that is sent by mail, which costs more to open.
    case issueMailedKit = 4
    /// Locks, and drops what cannot be saved. No fields; where there is an answer, it comes when that is done.
    case lockDiscarding = 5
}

/// How a request ended; the numbers are part of the format. But for `done`, the answer's first field says more.
enum CommandOutcome: UInt8 {
    case done = 0
    case wrongPassword = 1
    case parametersOutOfBounds = 2
    case outOfMemory = 3
    case damaged = 4
    case failed = 5
}
