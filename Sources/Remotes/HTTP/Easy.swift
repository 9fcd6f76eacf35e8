internal import CCurl

/// An easy handle of libcurl, used for one request after the other. It is not reset between them, because that would
/// make it forget the server's last nonce, and a login by Digest would cost a second round trip each time; so each
/// request sets every option that any of them uses.
///
/// Not `Sendable`: the transfers' thread owns it.
@safe
final class Easy {
    let handle: UnsafeMutableRawPointer
    private var headers: UnsafeMutablePointer<curl_slist>?
    private(set) var exchange: Exchange?
    private let detail: UnsafeMutableBufferPointer<CChar>

    init?(_ settings: TransferSettings) {
        guard let handle = unsafe curl_easy_init() else { return nil }
        unsafe self.handle = unsafe handle
        unsafe detail = .allocate(capacity: Int(CURL_ERROR_SIZE))
        unsafe detail.initialize(repeating: 0)
        unsafe coffer_set_pointer(handle, CURLOPT_ERRORBUFFER, detail.baseAddress)
        setSafety(settings)
        setCallbacks()
    }

    deinit {
        unsafe curl_easy_cleanup(handle)
        unsafe curl_slist_free_all(headers)
        unsafe detail.deallocate()
    }

    func set(_ option: CURLoption, _ value: Int) { unsafe _ = coffer_set_long(handle, option, value) }

    func set(_ option: CURLoption, _ value: String?) {
        if let value {
            unsafe _ = coffer_set_string(handle, option, value)
        } else {
            unsafe _ = coffer_set_string(handle, option, nil)
        }
    }

    /// libcurl copies the bytes, which the zero after them ends.
    func set(_ option: CURLoption, secret: [UInt8]) {
        var text = secret + [0]
        unsafe text.withUnsafeMutableBytes { bytes in
            unsafe _ = coffer_set_string(handle, option, bytes.assumingMemoryBound(to: CChar.self).baseAddress)
            unsafe bytes.initializeMemory(as: UInt8.self, repeating: 0)
        }
    }

    private func setCallbacks() {
        unsafe coffer_set_receiver(handle, CURLOPT_HEADERFUNCTION) { bytes, size, count, context in
            guard let bytes = unsafe bytes, let context = unsafe context else { return 0 }
            let easy = unsafe Unmanaged<Easy>.fromOpaque(context).takeUnretainedValue()
            let line = unsafe UnsafeRawBufferPointer(start: bytes, count: size * count)
            return unsafe easy.exchange?.receiveHeader(line) ?? false ? line.count : 0
        }
        unsafe coffer_set_receiver(handle, CURLOPT_WRITEFUNCTION) { bytes, size, count, context in
            guard let bytes = unsafe bytes, let context = unsafe context else { return 0 }
            let easy = unsafe Unmanaged<Easy>.fromOpaque(context).takeUnretainedValue()
            let piece = unsafe UnsafeRawBufferPointer(start: bytes, count: size * count)
            return unsafe easy.receiveBody(piece) ? piece.count : 0
        }
        let context = unsafe Unmanaged.passUnretained(self).toOpaque()
        unsafe coffer_set_pointer(handle, CURLOPT_HEADERDATA, context)
        unsafe coffer_set_pointer(handle, CURLOPT_WRITEDATA, context)
    }

    private func receiveBody(_ piece: UnsafeRawBufferPointer) -> Bool {
        var announced: curl_off_t = -1
        unsafe coffer_get_offset(handle, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &announced)
        return unsafe exchange?.receiveBody(piece, status: get(CURLINFO_RESPONSE_CODE), announced: Int64(announced))
            ?? false
    }

    private func get(_ info: CURLINFO) -> Int {
        var value = 0
        unsafe coffer_get_long(handle, info, &value)
        return value
    }

    /// Takes on a request.
    func prepare(_ request: Request) {
        exchange = Exchange(request)
        unsafe detail.update(repeating: 0)
        set(CURLOPT_URL, request.url)
        setBody(request)
        set(CURLOPT_CUSTOMREQUEST, request.method)
        var list: UnsafeMutablePointer<curl_slist>?
        for line in request.headers { unsafe list = curl_slist_append(list, line) }
        unsafe coffer_set_list(handle, CURLOPT_HTTPHEADER, list)
        unsafe curl_slist_free_all(headers)
        unsafe headers = unsafe list
        setLogin(request.login)
    }

    /// What became of the request; the handle is free for the next one.
    func finish(_ code: CURLcode) -> Result<Response, TransferFailure> {
        let text = unsafe detail.prefix { $0 >= 0x20 && $0 < 0x7F }.map { UInt8(bitPattern: $0) }
        let result = exchange?.result(
            code, status: get(CURLINFO_RESPONSE_CODE), offeredSchemes: get(CURLINFO_HTTPAUTH_AVAIL),
            detail: String(decoding: text, as: UTF8.self))
        clear()
        return result ?? .failure(.cancelled)
    }

    /// Lets go of the request with its bytes and its password.
    func clear() {
        exchange = nil
        unsafe coffer_set_pointer(handle, CURLOPT_COPYPOSTFIELDS, nil)
        set(CURLOPT_PASSWORD, nil)
        set(CURLOPT_XOAUTH2_BEARER, nil)
    }
}
