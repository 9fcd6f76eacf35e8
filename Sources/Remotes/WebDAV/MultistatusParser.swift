internal import CExpat

/// Reads the answer to a PROPFIND (RFC 4918, 14.16) while it comes.
///
/// The server is not trusted: a document type is refused, and with it every entity; depth, elements, texts, bytes and
/// results are bounded.
// `@unchecked Sendable`: used by the transfers' thread until the transfer ends, and by whoever asked for it after that;
// the answer is handed over through a continuation.
@safe
final class MultistatusParser: BodySink, @unchecked Sendable {
    /// What the server says of one resource.
    struct Entry: Equatable {
        var href = ""
        var isFolder = false
        var size: UInt64?
        var tag: String?
        var modified: String?
    }

    /// Bounds that no honest listing comes near.
    private enum Limit {
        static let bytes = 256 << 20
        static let depth = 32
        static let elements = 4_000_000
        static let text = 8192
        /// Between two things that expat reports: it keeps an unfinished tag.
        static let silence = 1 << 20
        /// What expat is given at a time, at the least.
        static let piece = 16 << 10
    }

    private(set) var refusal: String?
    private let parser: XML_Parser?
    private let take: (Entry) -> String?
    private var builder = MultistatusBuilder()
    private var (bytes, elements, silence) = (0, 0, 0)
    /// What has come and expat was not given yet.
    private var pending: [UInt8] = []

    /// - Parameter take: gets every resource that the server found, and says why it wants no more of them.
    init(_ take: @escaping (Entry) -> String?) {
        self.take = take
        // Names come as `namespace name`.
        let separator = XML_Char(UInt8(ascii: " "))
        unsafe parser = unsafe XML_ParserCreateNS(nil, separator)
        unsafe XML_SetUserData(parser, Unmanaged.passUnretained(self).toOpaque())
        setHandlers()
    }

    deinit { unsafe XML_ParserFree(parser) }

    private func setHandlers() {
        unsafe XML_SetElementHandler(
            parser,
            { context, name, _ in unsafe MultistatusParser.of(context)?.begin(name.map { unsafe String(cString: $0) })
            },
            { context, _ in unsafe MultistatusParser.of(context)?.end() })
        unsafe XML_SetCharacterDataHandler(parser) { context, text, count in
            guard let text = unsafe text else { return }
            unsafe MultistatusParser.of(context)?.append(
                UnsafeRawBufferPointer(start: text, count: Int(max(0, count))))
        }
        unsafe XML_SetStartDoctypeDeclHandler(parser) { context, _, _, _, _ in
            unsafe MultistatusParser.of(context)?.refuse("its listing has a document type")
        }
        unsafe XML_SetCommentHandler(parser) { context, _ in unsafe MultistatusParser.of(context)?.silence = 0 }
        unsafe XML_SetProcessingInstructionHandler(parser) { context, _, _ in
            unsafe MultistatusParser.of(context)?.silence = 0
        }
    }

    private static func of(_ context: UnsafeMutableRawPointer?) -> MultistatusParser? {
        unsafe context.map { unsafe Unmanaged<MultistatusParser>.fromOpaque($0).takeUnretainedValue() }
    }

    private func refuse(_ sentence: String) {
        if refusal == nil { refusal = sentence }
        unsafe _ = XML_StopParser(parser, XML_Bool(0))
    }

    func receive(_ piece: UnsafeRawBufferPointer) -> Bool {
        bytes += piece.count
        silence += piece.count
        guard bytes <= Limit.bytes, silence <= Limit.silence else {
            refuse("its listing does not end")
            return false
        }
        unsafe pending.append(contentsOf: piece)
        // expat reads an unfinished tag anew with each piece (CVE-2023-52425), and a server decides how small these are: 1 MiB
        // in chunks of 8 bytes took 109 seconds. So each piece is as long as what may be unfinished.
        guard pending.count >= max(Limit.piece, silence - pending.count) else { return true }
        return parsePending(isLast: false)
    }

    /// Called when all of the answer has come.
    ///
    /// - Returns: false where that was no whole listing.
    func finish() -> Bool { parsePending(isLast: true) }

    private func parsePending(isLast: Bool) -> Bool {
        guard refusal == nil else { return false }
        let status = unsafe pending.withUnsafeBytes { piece in
            unsafe XML_Parse(
                parser, piece.assumingMemoryBound(to: CChar.self).baseAddress, Int32(clamping: piece.count),
                isLast ? 1 : 0)
        }
        pending.removeAll(keepingCapacity: true)
        if status == XML_STATUS_OK { return true }
        if refusal == nil { refusal = "its listing is no XML" }
        return false
    }

    private func begin(_ name: String?) {
        silence = 0
        elements += 1
        guard elements <= Limit.elements else { return refuse("its listing does not end") }
        builder.begin(name ?? "")
        if builder.depth > Limit.depth { refuse("its listing is nested too deeply") }
    }

    private func append(_ text: UnsafeRawBufferPointer) {
        silence = 0
        guard builder.isCollecting else { return }
        unsafe builder.text.append(contentsOf: text)
        if builder.text.count > Limit.text { refuse("its listing has a text that is too long") }
    }

    private func end() {
        silence = 0
        guard refusal == nil, let entry = builder.end() else { return }
        if let sentence = take(entry) { refuse(sentence) }
    }
}
