internal import CCurl

extension TransferFailure {
    /// libcurl's code (libcurl-errors(3)) as what one can do about it. Only its fixed texts are taken over: what it
    /// writes about a single transfer may quote the server.
    ///
    /// - Parameter detail: what it wrote about a certificate, which is OpenSSL's own words.
    init(_ code: CURLcode, detail: String) {
        let text = unsafe String(cString: curl_easy_strerror(code))
        switch code {
        case CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_ISSUER_ERROR, CURLE_SSL_INVALIDCERTSTATUS,
            CURLE_SSL_CACERT_BADFILE, CURLE_SSL_CERTPROBLEM, CURLE_SSL_CRL_BADFILE, CURLE_SSL_CIPHER,
            CURLE_SSL_PINNEDPUBKEYNOTMATCH, CURLE_USE_SSL_FAILED:
            self = .untrusted(detail.isEmpty ? text : detail)
        case CURLE_UNSUPPORTED_PROTOCOL, CURLE_WEIRD_SERVER_REPLY, CURLE_BAD_CONTENT_ENCODING, CURLE_URL_MALFORMAT,
            CURLE_HTTP_RETURNED_ERROR, CURLE_TOO_MANY_REDIRECTS, CURLE_FILESIZE_EXCEEDED, CURLE_WRITE_ERROR,
            CURLE_BAD_FUNCTION_ARGUMENT, CURLE_OUT_OF_MEMORY:
            self = .malformed(text)
        default:
            self = .dropped(text)
        }
    }
}
