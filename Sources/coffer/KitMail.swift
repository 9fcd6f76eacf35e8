internal import Foundation
internal import KitImage
internal import Sealing

/// A message (RFC 5322, RFC 2045 to 2049) that carries a kit to its owner, ready for `sendmail -t`.
///
/// It does not name the vault's fingerprint: whoever swaps the kit on its way would swap the words with it. They are
/// compared with what another device shows.
struct KitMail {
    /// The kit's address, of sender and recipient: people mail it to themselves.
    let address: String
    /// The kit's text.
    let kit: [UInt8]
    /// What opening the kit costs whoever guesses.
    let cost: KDFParameters
    let date: Date

    /// nil where the text is no kit.
    init?(to address: String, kit: [UInt8], date: Date) {
        guard let wrap = Kit(text: kit)?.wrap, let cost = unsafe try? Wrap.parameters(of: wrap.span.bytes) else {
            return nil
        }
        (self.address, self.kit, self.cost, self.date) = (address, kit, cost, date)
    }

    /// Whether an address may stand in a header as it is: a dot-atom on both sides (RFC 5322, 3.4.1), and no longer than
    /// a path may be (RFC 5321, 4.5.3.1.3). So no line break, comment or second address gets into the message.
    static func takes(_ address: String) -> Bool {
        let atom = #"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"#
        let pattern = "\(atom)(\\.\(atom))*@[A-Za-z0-9-]+(\\.[A-Za-z0-9-]+)*"
        return address.utf8.count <= 254 && address.range(of: "^\(pattern)\\z", options: .regularExpression) != nil
    }

    /// The message, lines ended by CR and LF.
    func encoded() throws(KitImageError) -> [UInt8] {
        let picture = try KitImage.png(kit)
        let boundary = "=_coffer_\(Self.unique())"  // "=_" is in no base64 and in no quoted text
        let message = """
            From:\(folded: address)
            To:\(folded: address)
            Subject: Coffer kit
            Date: \(Self.text(of: date))
            Message-ID: <\(Self.unique())@coffer.invalid>
            MIME-Version: 1.0
            Content-Type: multipart/mixed;
             boundary="\(boundary)"

            --\(boundary)
            Content-Type: text/plain; charset=us-ascii
            Content-Transfer-Encoding: 7bit

            \(body)
            --\(boundary)
            Content-Type: image/png; name="coffer-kit.png"
            Content-Transfer-Encoding: base64
            Content-Disposition: attachment; filename="coffer-kit.png"

            \(Data(picture).base64EncodedString(options: [.lineLength76Characters, .endLineWithLineFeed]))
            --\(boundary)--

            """
        return Array(message.replacing("\n", with: "\r\n").utf8)
    }

    /// Without the address, which may be longer than a line.
    private var body: String {
        """
        This is a kit of your Coffer vault, as a QR code. With it, the address that
        this message was sent to, and your master password a new device joins:

            coffer join --kit coffer-kit.png --email ADDRESS

        Compare the six words that it shows with those that a device of yours shows
        (coffer status). Where they differ, this is not your kit.

        WARNING: mail is not secret. Whoever can read this message, now or later,
        has the kit and your address, and can try master passwords on it, each at
        the cost of \(cost.passes) passes over \(cost.memoryMiB) MiB of memory. Only a strong master
        password withstands that. Delete this message once the device has joined.

        """
    }

    private static func unique() -> String {
        (0..<2).map { _ in
            let digits = String(UInt64.random(in: .min ... .max), radix: 16)
            return String(repeating: "0", count: 16 - digits.count) + digits
        }.joined()
    }

    /// RFC 5322, 3.3, in UTC.
    private static func text(of date: Date) -> String {
        var calendar = Calendar(identifier: .gregorian)
        calendar.timeZone = .gmt
        let parts = calendar.dateComponents([.weekday, .day, .month, .year, .hour, .minute, .second], from: date)
        let days = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
        let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
        let clock = [parts.hour, parts.minute, parts.second].map { value in
            let digits = String(value ?? 0)
            return digits.count < 2 ? "0" + digits : digits
        }.joined(separator: ":")
        let (day, month) = (days[((parts.weekday ?? 1) - 1) % 7], months[((parts.month ?? 1) - 1) % 12])
        return "\(day), \(parts.day ?? 1) \(month) \(parts.year ?? 1970) \(clock) +0000"
    }
}

extension String.StringInterpolation {
    /// Behind a blank, or on a line of its own where it makes the header longer than the 78 characters that a line
    /// should have (RFC 5322, 2.1.1); a header's name has at most four here.
    fileprivate mutating func appendInterpolation(folded value: String) {
        appendLiteral((value.utf8.count > 72 ? "\n " : " ") + value)
    }
}
