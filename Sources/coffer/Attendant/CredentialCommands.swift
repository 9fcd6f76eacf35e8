internal import Sealing
internal import Sync

/// How the command is run that a remote's password comes from, where somebody has allowed it on this machine.
struct CredentialCommands: Sendable {
    /// What became of a command.
    enum Outcome: ~Copyable {
        /// Its first line of output.
        case line(SecretBytes)
        case notAllowed
        case failed
        /// The process that runs commands is gone.
        case ended
    }

    /// Runs a command of the shell's.
    let run: @Sendable (_ command: String) -> Outcome

    /// As a child of this process.
    static let ownChildren = CredentialCommands { command in
        guard AllowedCommands.contains(command) else { return .notAllowed }
        do { return .line(try SecretLine.read(command: command)) } catch { return .failed }
    }

    func credential(from command: String) throws(RemoteError) -> [UInt8] {
        switch run(command) {
        case .line(let line): return line.withBytes { bytes in unsafe bytes.withUnsafeBytes { unsafe [UInt8]($0) } }
        case .notAllowed:
            throw .notAuthorized(
                "the vault says that the remote's password comes from a command which nobody has allowed on this "
                    + "machine: coffer sync on a terminal shows it and asks")
        case .failed: throw .notAuthorized("the command for the remote's password failed")
        case .ended:
            throw .notAuthorized(
                "the process that runs the command for the remote's password was ended: lock the vault and mount it "
                    + "again")
        }
    }
}
