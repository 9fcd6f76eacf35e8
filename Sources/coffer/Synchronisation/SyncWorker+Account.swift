internal import Format
internal import Sealing
internal import Sync
internal import Vault

extension SyncWorker {
    /// The address that kits are bound to from now on, here and on the other devices.
    func setAddress(_ address: String, _ secret: Secret) throws -> SyncOutcome {
        let admin = try adminKey(secret)
        let before = try settings().account?.email
        try vault.setAccountAddress(address, admin)
        let old = before.map { ", \($0)" } ?? ""
        var notes = [
            "The account's e-mail address is \(address). Kits that were issued before keep the one that they were issued "
                + "for\(old)."
        ]
        if try settings().remote != nil { notes.append("The other devices hear of it with the next `coffer sync`.") }
        return SyncOutcome(notes: notes)
    }
}

extension Vault {
    /// Keeps the account's address, and has it told to the other devices with the next own segment.
    ///
    /// - Parameter admin: signs it.
    func setAccountAddress(_ text: String, _ admin: borrowing AdminKey) throws {
        var settings = try SyncSettings.kept(in: self)
        let now: UInt64
        do throws(SyncError) {
            now = try VaultReplica(self).transaction { (replica) throws(SyncError) in replica.nextStamp().lamport }
        } catch {
            throw Failure(error)
        }
        let clock = max(now, (settings.account?.clock ?? 0) &+ 1)
        guard
            let address = AccountAddress(text, vault: identifier.pair, clock: clock, device: device.pair, admin: admin)
        else { throw Failure.noAddress(text) }
        settings.account = SyncSettings.Account(email: text, clock: clock)
        do throws(VaultError) {
            // The others first: what they are told comes back here with the next run, whatever happens in between.
            try addNotice(Notice.Kind.kit.rawValue, address.bytes)
            try setSyncSettings(settings.encoded)
        } catch {
            throw Failure(error, vault: path)
        }
    }
}

extension SyncSettings {
    /// Those that a vault keeps, or those of one that has none yet.
    static func kept(in vault: Vault) throws -> SyncSettings {
        let bytes: [UInt8]?
        do throws(VaultError) { bytes = try vault.syncSettings() } catch { throw Failure(error, vault: vault.path) }
        guard let bytes, !bytes.isEmpty else { return SyncSettings() }
        guard let settings = SyncSettings(bytes) else {
            throw Failure(
                .otherError, "The settings of synchronisation were written by a newer coffer.",
                hint: "Update coffer on this machine; nothing was changed.")
        }
        return settings
    }

    /// Takes the address that the logs tell, unless a later one was set here.
    mutating func take(_ address: AccountAddress?) {
        guard let address, address.clock >= account?.clock ?? 0 else { return }
        account = Account(email: address.text, clock: address.clock)
    }
}

extension Failure {
    static func noAddress(_ text: String) -> Failure {
        Failure(
            .usage, "\(text.isEmpty ? "An empty text" : text) is no e-mail address.",
            hint: "Give one of 1 to 254 bytes without control characters.")
    }
}
