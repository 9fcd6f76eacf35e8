internal import CZxcvbn
internal import Glibc

/// How many guesses a password takes whoever tries what people choose first (Wheeler 2016, "zxcvbn: Low-Budget Password
/// Strength Estimation").
public struct PasswordStrength: Sendable {
    /// The binary logarithm of the guesses.
    public let bits: Double

    /// Fewer guesses than these are not taken: 10^9 and log2 of them.
    public static let least = 29.9

    /// What a graphics card of 2025 reads and writes in its memory, in bytes a second. Argon2id is bound by that: each pass
    /// reads two blocks and writes one (RFC 9106, 3.1.2).
    static let bandwidth = 1e12

    /// How long one graphics card tries on average, in seconds.
    ///
    /// - Parameter cost: of one guess.
    public func seconds(at cost: KDFParameters) -> Double {
        let guess = Double(cost.memoryMiB) * 1_048_576 * Double(cost.passes) * 3 / PasswordStrength.bandwidth
        return exp2(bits - 1) * guess
    }

    /// The same in words: "3 days", "more than 1,000 years".
    public func words(at cost: KDFParameters) -> String {
        let seconds = seconds(at: cost)
        let units: [(Double, String)] = [
            (31_557_600, "year"), (86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second"),
        ]
        guard seconds < 1_000 * 31_557_600 else { return "more than 1,000 years" }
        for (length, name) in units where seconds >= length {
            let count = Int(seconds / length)
            return "\(count) \(name)\(count == 1 ? "" : "s")"
        }
        return "less than a second"
    }
}

extension MasterPassword {
    /// So many bytes are looked at: the time that it takes grows with the cube of them, and no more are needed.
    private static let looked = 100

    public borrowing func strength() -> PasswordStrength {
        unsafe terminated { text in unsafe PasswordStrength(bits: ZxcvbnMatch(text, nil, nil)) }
    }

    /// Refuses what takes fewer guesses than ``PasswordStrength/least``.
    public borrowing func checkStrength() throws(PasswordError) {
        guard strength().bits < PasswordStrength.least else { return }
        throw .tooWeak(weakness())
    }

    /// The password as C has it, in memory that is wiped.
    private borrowing func terminated<R>(_ body: (UnsafePointer<CChar>) -> R) -> R {
        let count = min(bytes.count, MasterPassword.looked)
        var text = SecretBytes(count: count + 1)
        bytes.withBytes { bytes in
            text.withMutableBytes { text in
                for index in 0..<count {
                    let byte = unsafe bytes.unsafeLoad(fromByteOffset: index, as: UInt8.self)
                    text.storeBytes(of: byte, toByteOffset: index, as: UInt8.self)
                }
            }
        }
        return text.withBytes { text in
            unsafe text.withUnsafeBytes { text in
                guard let start = text.baseAddress else { return unsafe body("") }
                return unsafe body(start.assumingMemoryBound(to: CChar.self))
            }
        }
    }

    /// What most of it is, for people.
    private borrowing func weakness() -> String {
        guard bytes.count >= 8 else { return "it is shorter than 8 characters." }
        let longest = unsafe terminated { text -> ZxcTypeMatch_t in
            var matches: UnsafeMutablePointer<ZxcMatch_t>?
            _ = unsafe ZxcvbnMatch(text, nil, &matches)
            defer { unsafe ZxcvbnFreeInfo(matches) }
            var (walk, found, length) = unsafe (matches, BRUTE_MATCH, Int32(0))
            while let match = unsafe walk {
                let type = unsafe ZxcTypeMatch_t(match.pointee.Type.rawValue & ~MULTIPLE_MATCH.rawValue)
                if unsafe match.pointee.Length > length { unsafe (found, length) = (type, match.pointee.Length) }
                unsafe walk = match.pointee.Next
            }
            return found
        }
        return switch longest {
        case DICTIONARY_MATCH, DICT_LEET_MATCH, USER_MATCH, USER_LEET_MATCH:
            "it is made of words and names that are tried first."
        case REPEATS_MATCH: "it repeats a few characters."
        case SEQUENCE_MATCH, SPATIAL_MATCH: "it is a row of the alphabet or the keyboard."
        case DATE_MATCH, YEAR_MATCH: "it is mostly a date."
        default: "it is guessed within a billion tries."
        }
    }
}
