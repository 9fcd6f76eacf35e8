internal import CCurl

/// A request under way with what has come of its answer: what libcurl's callbacks work on. Used by the transfers'
/// thread only.
final class Exchange {
    let request: Request
    private(set) var response = Response()
    /// Why we ended the transfer ourselves.
    private(set) var refusal: String?
    private var headerBytes = 0
    private var ignoredBytes = 0
    private var received = 0

    /// libcurl has bounds too, but later versions changed them; ours hold for all answers to one request together.
    private static let headerLimit = 128 << 10
    /// What an error's page may have.
    private static let ignoredLimit = 1 << 20

    init(_ request: Request) { self.request = request }

    private func refuse(_ sentence: String) -> Bool {
        refusal = sentence
        return false
    }

    /// Takes a line of the header: of an interim answer, of one that asks for a login, or of the last one.
    func receiveHeader(_ line: UnsafeRawBufferPointer) -> Bool {
        headerBytes += line.count
        guard headerBytes <= Exchange.headerLimit else { return refuse("its header does not end") }
        let text = unsafe String(decoding: line, as: UTF8.self)
        if text.hasPrefix("HTTP/") { response.fields = [:] }
        guard let colon = text.firstIndex(of: ":") else { return true }
        let name = text[..<colon].lowercased()
        if Response.fieldsOfUse.contains(name), text.utf8.count <= 8192 {
            response.fields[name] = String(text[text.index(after: colon)...]).trimmingBlanks
        }
        return true
    }

    /// Takes a piece of the body.
    ///
    /// - Parameter announced: the length that the answer's header gives, or -1.
    func receiveBody(_ bytes: UnsafeRawBufferPointer, status: Int, announced: Int64) -> Bool {
        guard (200..<300).contains(status) else {
            ignoredBytes += bytes.count
            return ignoredBytes <= Exchange.ignoredLimit || refuse("its answer to an error does not end")
        }
        received += bytes.count
        guard received <= request.limit, announced <= Int64(request.limit) else {
            response.body = []
            response.isTooLong = true
            return false
        }
        if let sink = request.sink {
            return unsafe sink.receive(bytes) || refuse(sink.refusal ?? "its answer is refused")
        }
        if response.body.isEmpty { response.body.reserveCapacity(max(0, Int(announced))) }
        unsafe response.body.append(contentsOf: bytes)
        return true
    }

    /// What became of it.
    func result(_ code: CURLcode, status: Int, offeredSchemes: Int, detail: String) -> Result<Response, TransferFailure>
    {
        response.status = status
        response.offeredSchemes = offeredSchemes
        if let refusal { return .failure(.malformed(refusal)) }
        if code == CURLE_OK || response.isTooLong { return .success(response) }
        return .failure(TransferFailure(code, detail: detail))
    }
}
