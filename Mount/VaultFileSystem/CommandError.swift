public import Vault

/// Why a command to a mounted vault was not carried out.
public enum CommandError: Error, Sendable {
    /// The mount could not be asked.
    case mount(MountError)
    /// What the vault said.
    case vault(VaultError)
    /// The mount takes no changes, and a command is written to it.
    case readOnly
    /// The vault was locked before the command was carried out; nothing was changed.
    case locked
    /// The process behind the mount ended or was locked before it answered: it may have been carried out.
    case unanswered
    /// The process behind the mount does not understand the request: it is of another version.
    case notUnderstood
}
