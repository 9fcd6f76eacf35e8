internal import CCurl

/// How a remote's transfers are secured and how patient they are.
struct TransferSettings: Sendable {
    var isSecure: Bool
    var isLoopback: Bool
    var certificateAuthorities: String?
    var clientCertificate: ClientCertificate?
    var connectTimeout: Int
    var stallTimeout: Int
    var leastRate: Int
    var parallel: Int
}

extension Easy {
    /// What holds for every request of a remote.
    func setSafety(_ settings: TransferSettings) {
        // Only the address's own protocol: no file:, no gopher:, and no way back from https.
        set(CURLOPT_PROTOCOLS_STR, settings.isSecure ? "https" : "http")
        set(CURLOPT_REDIR_PROTOCOLS_STR, settings.isSecure ? "https" : "http")
        set(CURLOPT_FOLLOWLOCATION, 0)
        // Signals are no way to time out in a program of many threads (CURLOPT_NOSIGNAL(3)).
        set(CURLOPT_NOSIGNAL, 1)
        set(CURLOPT_HTTP09_ALLOWED, 0)
        set(CURLOPT_SSL_VERIFYPEER, 1)
        set(CURLOPT_SSL_VERIFYHOST, 2)
        set(CURLOPT_SSLVERSION, Int(CURL_SSLVERSION_TLSv1_2))
        if let file = settings.certificateAuthorities {
            set(CURLOPT_CAINFO, file)
            set(CURLOPT_CAPATH, nil)
        }
        if let client = settings.clientCertificate {
            set(CURLOPT_SSLCERT, client.certificate)
            set(CURLOPT_SSLKEY, client.key)
        }
        // Plain http goes to this machine only because nobody can listen there; a proxy would be somewhere else. An
        // empty string turns off the variables too (CURLOPT_PROXY(3)).
        if settings.isLoopback { set(CURLOPT_PROXY, "") }
        set(CURLOPT_HTTP_VERSION, Int(CURL_HTTP_VERSION_2TLS))
        set(CURLOPT_CONNECTTIMEOUT, settings.connectTimeout)
        // The mean of some seconds (CURLOPT_LOW_SPEED_LIMIT(3)).
        set(CURLOPT_LOW_SPEED_LIMIT, settings.leastRate)
        set(CURLOPT_LOW_SPEED_TIME, settings.stallTimeout)
        set(CURLOPT_TCP_KEEPALIVE, 1)
        set(CURLOPT_USERAGENT, "coffer")
        // No CURLOPT_ACCEPT_ENCODING: nothing is ever unpacked.
    }

    /// A body is sent from memory, as a form would be: libcurl can then send it again after a question for a login.
    func setBody(_ request: Request) {
        guard let body = request.body else {
            set(CURLOPT_HTTPGET, 1)
            return
        }
        set(CURLOPT_POST, 1)
        unsafe coffer_set_offset(handle, CURLOPT_POSTFIELDSIZE_LARGE, curl_off_t(body.count))
        unsafe body.withUnsafeBytes { bytes in
            // An empty array may have no address, which would mean a body from a callback.
            if body.isEmpty {
                set(CURLOPT_COPYPOSTFIELDS, "")
            } else {
                unsafe _ = coffer_set_pointer(handle, CURLOPT_COPYPOSTFIELDS, bytes.baseAddress)
            }
        }
    }

    func setLogin(_ login: Login) {
        set(CURLOPT_USERNAME, nil)
        set(CURLOPT_PASSWORD, nil)
        set(CURLOPT_XOAUTH2_BEARER, nil)
        set(CURLOPT_NETRC, Int(CURL_NETRC_IGNORED.rawValue))
        switch login {
        case .none:
            set(CURLOPT_HTTPAUTH, coffer_auth_none())
        case .password(let user, let password, let schemes):
            set(CURLOPT_HTTPAUTH, schemes)
            set(CURLOPT_USERNAME, user)
            set(CURLOPT_PASSWORD, secret: password)
        case .bearer(let token):
            set(CURLOPT_HTTPAUTH, coffer_auth_bearer())
            set(CURLOPT_XOAUTH2_BEARER, secret: token)
        }
    }
}
