public import Format

/// How the loser of a conflict is called: `name (conflict, DEVICE, DATE)`.
public struct ConflictNaming: Sendable {
    /// The names of the devices, as people know them.
    public var devices: [Identifier: [UInt8]]
    /// Today, as `2026-11-23`.
    public var date: String

    public init(devices: [Identifier: [UInt8]], date: String) {
        (self.devices, self.date) = (devices, date)
    }

    /// Whether a name is one that is given here. It is the only mark that what is called so has, so that every device shows the
    /// same, and that people settle a conflict by what they do to its file.
    static func isOfCopy(_ name: RawSpan) -> Bool {
        let mark: StaticString = " (conflict, "
        let count = name.byteCount
        guard count > mark.utf8CodeUnitCount, name.byte(count - 1) == UInt8(ascii: ")") else { return false }
        return mark.withUTF8Buffer { mark in
            (1...count - mark.count).contains { start in
                mark.indices.allSatisfy { unsafe mark[$0] == name.byte(start + $0) }
            }
        }
    }

    /// The name of an entry that has to give way to another.
    ///
    /// - Parameter attempt: from 1; later ones are numbered.
    func name(_ name: [UInt8], by device: Identifier, attempt: Int) -> [UInt8] {
        self.name(name, by: device, date, attempt > 1 ? " \(attempt)" : "")
    }

    /// The name of a copy. Every device comes to the same by itself, whatever else there is: hence the day of the version,
    /// and four digits of the copy's own.
    func name(_ name: [UInt8], copy: Identifier, by device: Identifier, saved: Timestamp) -> [UInt8] {
        self.name(name, by: device, ConflictNaming.day(saved.seconds), " " + copy.hexadecimal.prefix(4))
    }

    private func name(_ name: [UInt8], by device: Identifier, _ date: String, _ number: String) -> [UInt8] {
        let known = devices[device].map { $0.filter { $0 != 0x2F && $0 >= 0x20 }.prefix(40) }
        let label = known.map(Array.init) ?? Array(device.hexadecimal.prefix(8).utf8)
        let suffix = Array(" (conflict, ".utf8) + label + Array(", \(date)\(number))".utf8)
        return Array(name.prefix(Limits.nameLength - suffix.count)) + suffix
    }

    /// The day of a time in UTC, as `2026-11-23` (Hinnant 2013, "chrono-compatible low-level date algorithms").
    static func day(_ seconds: Int64) -> String {
        let days = min(max(seconds, 0), 253_402_300_799) / 86400 + 719_468
        let era = days / 146_097
        let ofEra = days - era * 146_097
        let yearOfEra = (ofEra - ofEra / 1460 + ofEra / 36524 - ofEra / 146_096) / 365
        let ofYear = ofEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shifted = (5 * ofYear + 2) / 153
        let day = ofYear - (153 * shifted + 2) / 5 + 1
        let month = shifted < 10 ? shifted + 3 : shifted - 9
        let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        func two(_ number: Int64) -> String { number < 10 ? "0\(number)" : "\(number)" }
        return "\(year)-\(two(month))-\(two(day))"
    }
}

extension RawSpan {
    fileprivate func byte(_ offset: Int) -> UInt8 { unsafe unsafeLoad(fromByteOffset: offset, as: UInt8.self) }
}
