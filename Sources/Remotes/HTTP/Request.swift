/// One HTTP request.
struct Request: Sendable {
    var method: String
    /// Without user, password, query and fragment.
    var url: String
    /// Whole lines; one without a value (`Expect:`) takes away what libcurl would send.
    var headers: [String] = []
    var body: [UInt8]?
    /// The most bytes of a good answer that are kept.
    var limit: Int
    /// Takes a good answer's body instead of ``Response/body``.
    var sink: (any BodySink)?
    var login = Login.none
}

/// Who asks.
enum Login: Sendable {
    case none
    /// With the schemes that may be used, as bits of CURLOPT_HTTPAUTH.
    case password(user: String, [UInt8], schemes: Int)
    case bearer([UInt8])
}

/// The answer to a request.
struct Response: Sendable {
    var status = 0
    var body: [UInt8] = []
    /// The body was longer than the request's limit; nothing of it was kept.
    var isTooLong = false
    /// Fields by their names in lower case, as far as anybody looks at them.
    var fields: [String: String] = [:]
    /// The schemes that the server offered, as bits of CURLOPT_HTTPAUTH.
    var offeredSchemes = 0

    static let fieldsOfUse: Set<String> = ["retry-after", "location", "content-encoding"]
}

/// Takes a body while it comes. Used by the transfers' thread until the transfer ends, then by whoever asked for it.
protocol BodySink: Sendable {
    /// - Returns: false to end the transfer.
    func receive(_ bytes: UnsafeRawBufferPointer) -> Bool
    /// Why it ended the transfer.
    var refusal: String? { get }
}

/// Why there is no answer.
enum TransferFailure: Error, Sendable, Equatable {
    /// The connection failed, broke or stalled: another try may do better.
    case dropped(String)
    /// The server cannot show who it is, or we cannot.
    case untrusted(String)
    /// What came is no HTTP, or more than it may be.
    case malformed(String)
    case cancelled
}
