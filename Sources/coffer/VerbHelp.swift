/// The end of a verb's help: an example, and the exit codes that the verb has beside those of any program. The manual
/// pages are made of the help (`Mount/install`).
enum VerbHelp {
    static func text(_ discussion: String, examples: [String], codes: [ExitCode]) -> String {
        let examples = examples.map { "  \($0)" }.joined(separator: "\n")
        return """
            \(discussion)

            Example:

            \(examples)

            Exit codes: \(list([.done, .otherError] + codes + [.usage])).
            """
    }

    /// `0 done, 1 other error, …`
    static func list(_ codes: [ExitCode]) -> String {
        codes.map { "\($0.rawValue) \($0.meaning)" }.joined(separator: ", ")
    }
}

extension ExitCode {
    var meaning: String {
        switch self {
        case .done: "done"
        case .otherError: "other error"
        case .mountPointUnusable: "mount point unusable"
        case .wrongPassword: "wrong password or kit"
        case .kdfOutOfBounds: "parameters of the key derivation out of bounds"
        case .noVault: "no vault there"
        case .vaultExists: "vault exists already"
        case .weakPassword: "password empty or too weak"
        case .vaultInUse: "vault in use"
        case .integrityError: "integrity error"
        case .notSaved: "contents not saved"
        case .remoteUnreachable: "remote unreachable"
        case .remoteRolledBack: "remote was rolled back"
        case .remoteForked: "remote was forked"
        case .mismatch: "canary or fingerprint does not match"
        case .deviceRevoked: "device revoked"
        case .logSetAside: "a device's log is set aside, the rest is synchronised"
        case .noSuchEntry: "no such entry"
        case .entryExists: "exists already"
        case .notUnderstood: "input not understood"
        case .usage: "usage"
        }
    }
}

extension [ExitCode] {
    /// Of a verb that opens the vault with the master password.
    static let opening: [ExitCode] = [
        .wrongPassword, .kdfOutOfBounds, .noVault, .weakPassword, .vaultInUse, .integrityError,
    ]
}
