internal import ArgumentParser
internal import Foundation

/// A moment of the past on the command line: how long ago, or an ISO 8601 date and time.
enum SinceOption {
    static let help = "As `2h`, `3d`, `2026-11-23`, `2026-11-23T10:20` (here) or `2026-11-23T10:20:30Z`"

    /// - Parameter now: in seconds since 1970.
    /// - Returns: seconds since 1970; nil for what is no moment.
    static func moment(_ text: String, now: Int64) -> Int64? {
        if let ago = text.wholeMatch(of: #/([0-9]{1,9})([smhdw])/#), let count = Int64(ago.1) {
            let unit: Int64 =
                switch ago.2 {
                case "s": 1
                case "m": 60
                case "h": 3600
                case "d": 86400
                default: 604_800
                }
            return now - count * unit
        }
        let form =
            #/([0-9]{4})-([0-9]{2})-([0-9]{2})(?:[T ]([0-9]{2}):([0-9]{2})(?::([0-9]{2}))?(Z|[+-][0-9]{2}:[0-9]{2})?)?/#
        guard let found = text.wholeMatch(of: form) else { return nil }
        func number(_ part: Substring?) -> Int { part.flatMap { Int($0) } ?? 0 }
        var parts = DateComponents(
            year: number(found.1), month: number(found.2), day: number(found.3), hour: number(found.4),
            minute: number(found.5), second: number(found.6))
        var calendar = Calendar(identifier: .gregorian)
        if let zone = found.7 {
            guard let zone = SinceOption.zone(zone) else { return nil }
            calendar.timeZone = zone
        }
        parts.timeZone = calendar.timeZone
        guard parts.isValidDate(in: calendar), let date = calendar.date(from: parts) else { return nil }
        return Int64(date.timeIntervalSince1970)
    }

    private static func zone(_ text: Substring) -> TimeZone? {
        guard text != "Z" else { return TimeZone(secondsFromGMT: 0) }
        let parts = text.dropFirst().split(separator: ":").compactMap { Int($0) }
        guard parts.count == 2, parts[0] < 24, parts[1] < 60 else { return nil }
        return TimeZone(secondsFromGMT: (text.hasPrefix("-") ? -1 : 1) * (parts[0] * 3600 + parts[1] * 60))
    }

    static func parse(_ text: String, _ option: String) throws -> Int64 {
        let now = Int64(Moment.now)
        guard let moment = moment(text, now: now) else {
            throw ValidationError("\(option): \(Console.printable(text)) is no moment. \(help).")
        }
        guard moment <= now else { throw ValidationError("\(option): \(Console.printable(text)) is still to come.") }
        return moment
    }
}
