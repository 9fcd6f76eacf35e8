internal import CCurl
internal import Sync
internal import Synchronization

/// What one try of something came to.
enum Step<Value: Sendable>: Sendable {
    case done(Value)
    /// To be tried again, after a pause that the server may have asked for; the sentence is for whoever gives up.
    case again(String, after: Duration? = nil)

    func map<Other: Sendable>(_ change: (Value) -> Other) -> Step<Other> {
        switch self {
        case .done(let value): .done(change(value))
        case .again(let sentence, let after): .again(sentence, after: after)
        }
    }
}

/// An answer, or why there is none for now.
enum Exchanged: Sendable {
    case response(Response)
    case lost(String)
}

extension Response {
    /// Whether a redirect only adds a slash to the address of `path`.
    func leadsToFolder(_ path: RemotePath) -> Bool { fields["location"]?.hasSuffix("/\(path)/") ?? false }
}

extension WebDAVRemote {
    static let allSchemes = coffer_auth_basic() | coffer_auth_digest()

    /// Tries until it is done, is hopeless or was tried often enough.
    func retrying<Value: Sendable>(
        _ body: () async throws(RemoteError) -> Step<Value>
    ) async throws(RemoteError) -> Value {
        var tried = 0
        while true {
            if Task.isCancelled { throw .cancelled }
            let (reason, asked): (String, Duration?)
            switch try await body() {
            case .done(let value):
                options.patience?.note()
                return value
            case .again(let sentence, let after): (reason, asked) = (sentence, after)
            }
            tried += 1
            guard let pause = options.pacing.pause(tried: tried, asked: asked) else { throw .unreachable(reason) }
            do { try await options.pacing.wait(pause) } catch { throw .cancelled }
        }
    }

    /// Sends a request once.
    func exchange(
        _ method: String, _ url: String, headers: [String] = [], body: [UInt8]? = nil, limit: Int = 1 << 16,
        sink: (any BodySink)? = nil
    ) async throws(RemoteError) -> Exchanged {
        // Without `Expect` a body is sent at once: most servers do not answer to it, and then a second is lost.
        let request = Request(
            method: method, url: url, headers: headers + ["Expect:"], body: body, limit: limit, sink: sink,
            login: try login())
        do throws(TransferFailure) {
            let response = try await transfers.run(request)
            learn(response)
            return .response(response)
        } catch {
            switch error {
            case .dropped(let sentence): return .lost("\(address.url): \(sentence)")
            case .untrusted(let sentence):
                throw .unreachable("\(address.url): no secure connection: \(sentence)")
            case .malformed(let sentence): throw .malformed("\(address.url): \(sentence)")
            case .cancelled: throw .cancelled
            }
        }
    }

    private func login() throws(RemoteError) -> Login {
        let schemes = schemes.withLock { $0 }
        switch credential {
        case .none: return .none
        case .password(let ask):
            guard let user = address.user else {
                throw .notAuthorized("\(address.url): the address names no user, as https://user@host/ would")
            }
            return .password(user: user, try WebDAVRemote.secret(ask()), schemes: schemes)
        case .bearer(let ask): return .bearer(try WebDAVRemote.secret(ask()))
        case .netrc(let file, let takesDefault):
            let netrc = Netrc(path: file)
            let found = netrc?.login(for: address.host, user: address.user, takesDefault: takesDefault)
            guard let found else { return .none }
            return .password(user: found.user, try WebDAVRemote.secret(found.password), schemes: schemes)
        }
    }

    /// libcurl takes secrets as C strings, and puts a token into a header as it is.
    private static func secret(_ bytes: [UInt8]) throws(RemoteError) -> [UInt8] {
        guard !bytes.contains(where: { $0 == 0 || $0 == 0x0A || $0 == 0x0D }) else {
            throw .notAuthorized("the credential has a line end or a zero in it")
        }
        return bytes
    }

    /// Once the server has asked for a login, only the best scheme of those it named is used, and requests carry it at
    /// once: as long as libcurl may choose, it sends each body in vain first (CURLOPT_HTTPAUTH(3)).
    private func learn(_ response: Response) {
        let best = [coffer_auth_digest(), coffer_auth_basic()].first { response.offeredSchemes & $0 != 0 }
        if let best { schemes.withLock { $0 = best } }
    }

    /// What a status means that says nothing about the object itself.
    func judge<Value>(_ response: Response, _ method: String, _ path: RemotePath) throws(RemoteError) -> Step<Value> {
        let place = address.url(of: path)
        let answer = "\(place): the server answers \(method) with status \(response.status)"
        switch response.status {
        case 401, 403, 407:
            throw .notAuthorized(answer)
        case 507:
            throw .full
        case 408, 423, 425, 429, 500, 502, 503, 504:
            let asked = RetryAfter.duration(response.fields["retry-after"], now: options.pacing.now())
            return .again(answer, after: asked)
        case 300..<400:
            throw .malformed("\(answer), which leads elsewhere: give the address it leads to")
        default:
            throw .malformed(answer)
        }
    }
}
