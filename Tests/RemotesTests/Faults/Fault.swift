/// What may go wrong with a request between a client and its server.
enum Fault: CaseIterable, Sendable {
    /// The connection ends before the server has heard of it.
    case dropped
    /// The server does it, and its answer is lost.
    case unanswered
    /// The server gets half of the body, and then nothing.
    case torn
    /// The server gets it twice; the second answer is given.
    case doubled
    /// Half of the answer's body comes.
    case cut
    /// The answer says that it is longer than it is.
    case overlong
    case conflict, preconditionFailed, tooMany, tooManyForLong, failure, unavailable
    /// The answer comes a few bytes at a time.
    case slow
    /// The answer to the first such listing is given again.
    case stale

    /// The answer that the proxy gives itself.
    var status: String? {
        switch self {
        case .conflict: "409 Conflict\r\n"
        case .preconditionFailed: "412 Precondition Failed\r\n"
        case .tooMany: "429 Too Many Requests\r\nRetry-After: 1\r\n"
        case .tooManyForLong: "429 Too Many Requests\r\nRetry-After: 100000\r\n"
        case .failure: "500 Internal Server Error\r\n"
        case .unavailable: "503 Service Unavailable\r\n"
        default: nil
        }
    }
}
