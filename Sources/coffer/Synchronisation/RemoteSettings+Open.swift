internal import Glibc
internal import Remotes
internal import Sealing
internal import Sync
internal import SystemPackage
internal import VaultFileSystem

extension RemoteSettings {
    /// The remote that the settings lead to. Nothing is asked of it yet.
    ///
    /// - Parameters:
    ///   - creates: makes the folder or collection itself, where it is missing.
    ///   - commands: how those are run that the password comes from.
    func open(
        creates: Bool = false, commands: CredentialCommands = .ownChildren
    ) throws(Failure) -> any Remote {
        let patience = Patience()
        switch try address {
        case .directory(let path):
            return PatientRemote(DirectoryRemote(path: path, createsFolder: creates, patience: patience), patience)
        case .web(let address):
            var options = options(creates)
            options.patience = patience
            do throws(RemoteError) {
                return PatientRemote(
                    try WebDAVRemote(address, credential: credential(commands), options: options), patience)
            } catch {
                throw Failure(error, isSet: false)
            }
        }
    }

    /// The command that the remote's credential comes from; nil where it comes from elsewhere.
    var command: String? { passwordCommand ?? tokenCommand }

    /// There is a command, and nobody has allowed it on this machine.
    var hasWaitingCommand: Bool { command.map { !AllowedCommands.contains($0) } ?? false }

    var address: RemoteAddress {
        get throws(Failure) {
            do throws(RemoteAddressError) { return try RemoteAddress(url) } catch { throw Failure(error) }
        }
    }

    private func options(_ creates: Bool) -> WebDAVOptions {
        var options = WebDAVOptions()
        options.createsFolder = creates
        options.allowsInsecureHTTP = allowsInsecureHTTP
        options.certificateAuthorities = certificateAuthorities
        if let clientCertificate {
            options.clientCertificate = ClientCertificate(
                certificate: clientCertificate, key: clientKey ?? clientCertificate)
        }
        return options
    }

    /// Asked for with each login, and not kept.
    private func credential(_ commands: CredentialCommands) -> WebDAVCredential {
        if let passwordCommand {
            return .password { () throws(RemoteError) in try commands.credential(from: passwordCommand) }
        }
        if let tokenCommand {
            return .bearer { () throws(RemoteError) in try commands.credential(from: tokenCommand) }
        }
        if let password { return .password { () throws(RemoteError) in password } }
        return .netrc(file: nil, takesDefault: isFromKit != true)
    }
}

extension RemoteAddress {
    /// Refuses a folder in a mounted vault: whoever serves it would wait for itself.
    func requireOutside(of mounts: [MountTable.Mount]) throws(Failure) {
        guard case .directory(let path) = self else { return }
        let resolved = Directories.resolvedMountPoint(path)
        guard let inside = mounts.first(where: { resolved.starts(with: $0.directory) }) else { return }
        throw Failure(
            .usage, "The folder \(path) is in the mounted vault at \(inside.directory).",
            hint: "Name a folder outside of it: a vault cannot be its own remote.")
    }
}
