extension Vault {
    public func syncSettings() throws(VaultError) -> [UInt8] { [] }
    public func setSyncSettings(_ bytes: [UInt8]) throws(VaultError) {}
}
