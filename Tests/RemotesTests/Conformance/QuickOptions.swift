import Remotes

extension WebDAVOptions {
    /// With pauses of a fiftieth and without chance, and for a slow machine.
    static var quick: WebDAVOptions {
        var options = WebDAVOptions()
        options.stallTimeout = 600
        let wait = options.pacing.wait
        options.pacing.wait = { try await wait($0 / 50) }
        options.pacing.random = { 0 }
        options.pacing.now = { 1_800_000_000 }
        return options
    }
}
