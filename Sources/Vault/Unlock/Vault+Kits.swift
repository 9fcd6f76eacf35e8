internal import Format
internal import Sealing

extension Vault {
    /// Notes a kit that was issued: the other devices hear of it with the next segment, and who joins with it sees by that
    /// that the remote is not older than the kit.
    ///
    /// - Parameter text: the kit's text.
    public func note(kit text: [UInt8]) throws(VaultError) {
        guard let kit = Kit(text: text) else { return }
        try addNotice(
            Notice.Kind.kit.rawValue, Identifier(low: kit.identifier.0, high: kit.identifier.1).bytes)
    }
}
