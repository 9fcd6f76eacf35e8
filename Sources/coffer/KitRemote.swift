internal import Glibc
internal import Remotes
internal import Sealing

/// The remote that a kit names. Whoever has had the kit in hands may have changed it: so a person sees the host, and says
/// that it is theirs, before anything is sent there.
struct KitRemote {
    private let address: RemoteAddress
    private let kit: Kit

    var url: String { address.description }

    init(_ kit: Kit) throws(Failure) {
        guard !kit.remote.isEmpty else {
            throw Failure(
                .usage, "The kit says nothing of a remote: it was issued before one was set.",
                hint: "Name it with --remote, or issue another kit.")
        }
        do throws(RemoteAddressError) { address = try RemoteAddress(kit.remote) } catch {
            throw Failure(
                .notUnderstood, "The remote's address on the kit is none: \(Failure.explanation(error).0).",
                hint: "The kit was changed: name the remote with --remote, or have another kit issued.")
        }
        self.kit = kit
    }

    /// Shows where the remote is, and asks where nobody has said it before.
    ///
    /// - Parameter host: what --remote-host says.
    func confirm(host: String?) throws {
        for line in lines { Console.say(line) }
        if let host { return try address.requireHost(host) }
        guard isatty(STDIN_FILENO) == 1 else {
            // A folder of this machine is no place that anything is sent to.
            guard case .web(let web) = address else { return }
            throw Failure(
                .usage, "Nobody is here to say that the remote is at \(web.host), as the kit has it.",
                hint: "Give --remote-host with the host that you expect, or --remote with the whole address.")
        }
        let answer = try Console.ask("Is that your remote? [yes/no] ", option: "--remote-host")
        guard ["yes", "y"].contains(answer.lowercased()) else {
            throw Failure(
                .mismatch, "The kit's remote is not yours; nothing was sent there, and nothing was written.",
                hint: "Name the right one with --remote, and have another kit issued.")
        }
    }

    private var lines: [String] {
        var lines: [String] = []
        switch address {
        case .directory(let path): lines.append("The kit says that the remote is a folder of this machine: \(path)")
        case .web(let web):
            lines.append("The kit says that the remote is at the host \(web.host): \(address)")
            if web.host.split(separator: ".").contains(where: { $0.hasPrefix("xn--") }) {
                lines.append(
                    "That name has letters which are written as xn--… here: shown as letters it may look like another.")
            }
        }
        if !kit.isBound {
            lines.append(
                "The kit is of the first format, on which anybody can change that: compare it with what another device "
                    + "shows (coffer remote show).")
        }
        return lines
    }
}

extension RemoteAddress {
    /// - Parameter host: as in an address, with or without a port.
    func requireHost(_ host: String) throws(Failure) {
        let found: String
        switch self {
        case .directory(let path): found = "the folder \(path)"
        case .web(let web):
            let withPort = "\(web.host):\(web.port ?? (web.isSecure ? 443 : 80))"
            guard ![web.host, withPort].contains(host.lowercased()) else { return }
            found = web.port == nil ? web.host : withPort
        }
        throw Failure(
            .mismatch, "The remote is not at \(host) but at \(found); nothing was sent there.",
            hint: "The kit or the address is not what you take it for; nothing was written.")
    }
}
