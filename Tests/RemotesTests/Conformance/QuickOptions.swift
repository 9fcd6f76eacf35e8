import Remotes

extension WebDAVOptions {
    /// Without pauses and without chance.
    static var quick: WebDAVOptions {
        var options = WebDAVOptions()
        options.pacing.wait = { _ in try Task.checkCancellation() }
        options.pacing.random = { 0 }
        options.pacing.now = { 1_800_000_000 }
        return options
    }
}
