internal import CCurl

/// The field Retry-After (RFC 9110, 10.2.3): seconds, or a date in one of HTTP's three forms.
enum RetryAfter {
    /// nil where it says nothing that can be read; never negative.
    static func duration(_ value: String?, now: Int) -> Duration? {
        guard let value, !value.isEmpty else { return nil }
        if value.utf8.allSatisfy({ (0x30...0x39).contains($0) }) {
            // More digits than an integer has are a very long time.
            return .seconds(min(Int(value) ?? .max, 1 << 40))
        }
        let date = unsafe curl_getdate(value, nil)
        guard date >= 0 else { return nil }
        let (seconds, overflow) = date.subtractingReportingOverflow(now)
        return overflow ? nil : .seconds(min(max(0, seconds), 1 << 40))
    }
}
