internal import Format
internal import Foundation
internal import Glibc
internal import Sealing
internal import Sync
internal import Synchronization
internal import SystemPackage
internal import Vault

/// A machine on its way to be another device of a vault. Nothing is written before the canary was verified; the vault is
/// filled under another name, and has its own once it is whole.
final class Joining: Sendable {
    let path: FilePath
    private let kit: Kit
    private let remote: RemoteSettings
    private let deviceName: String?
    private let email: String
    private let opened = Mutex<Opened?>(nil)
    private let progress = Mutex<String?>(nil)

    private final class Opened: Sendable {
        let device: JoiningDevice
        let secret: Secret

        init(_ device: consuming JoiningDevice, _ secret: Secret) {
            self.device = device
            self.secret = secret
        }
    }

    init(_ kit: Kit, _ remote: RemoteSettings, at path: FilePath, email: String, deviceName: String?) {
        (self.kit, self.remote, self.path) = (kit, remote, path)
        (self.email, self.deviceName) = (email, deviceName)
    }

    var identifier: Identifier { Identifier(low: kit.vault.0, high: kit.vault.1) }

    /// Fetches what proves the account key, and then tries the password.
    ///
    /// - Returns: the vault's six words.
    func open(_ secret: Secret) throws -> [String] {
        let (kit, place) = (kit, try remote.open())
        let fetched = try Foreground.run {
            var join = Sync.Join(kit: kit)
            do throws(JoinError) { try await join.fetch(from: place) } catch { throw Failure(error) }
            return join
        }
        let password = try MasterPassword.from(secret.bytes)
        do throws(JoinError) {
            let device = try fetched.open(password: password, email: email)
            let words = Genesis.fingerprint(device.origin.genesis)
            let opened = Opened(device, secret)
            self.opened.withLock { $0 = opened }
            return words
        } catch {
            throw Failure(error)
        }
    }

    /// Makes the vault, reads everything into it and has this device admitted.
    ///
    /// - Returns: how many entries it has.
    func make(_ cost: KDFParameters) throws -> Int {
        guard let opened = opened.withLock({ $0 }) else { return 0 }
        let temporary = FilePath("\(path.string).joining")
        // Another process that joins has it open until it is whole.
        if case .open = try? Vault.state(of: temporary) { throw Failure(VaultError.inUse, vault: path) }
        Vault.removeClaim(on: path, of: temporary)
        remove(temporary)
        let vault: Vault
        do { vault = try create(temporary, opened, cost) } catch { throw Failure.unlessSilent(error, vault: path) }
        do {
            let entries: Int
            do {
                entries = try fill(vault, opened)
                try close(vault)
            } catch {
                try? vault.close()
                throw error
            }
            try publish(temporary)
            return entries
        } catch {
            remove(temporary)
            throw Failure.unlessSilent(error, vault: path)
        }
    }

    private func create(_ temporary: FilePath, _ opened: Opened, _ cost: KDFParameters) throws -> Vault {
        let password = try MasterPassword.from(opened.secret.bytes)
        let ring = opened.device.ring
        return try Vault.createReplica(
            at: temporary, of: opened.device.origin, accountKey: ring.first,
            laterKeys: ring.links.count > 1 ? ring.stored : nil, device: opened.device.device,
            deviceKeys: opened.device.deviceKeys, password: password,
            options: Vault.CreationOptions(parameters: cost, stateDirectory: Directories.state))
    }

    private func fill(_ vault: Vault, _ opened: Opened) throws -> Int {
        var settings = SyncSettings(deviceName: deviceName)
        settings.remote = remote
        if AccountAddress.isFit(email) { settings.account = SyncSettings.Account(email: email, clock: 0) }
        try vault.setSyncSettings(settings.encoded)
        let session = try SyncSession(vault, remote, deviceName: settings.deviceName) { [weak self] text in
            self?.progress.withLock { $0 = text }
        }
        progress.withLock { $0 = session.beginning }
        let wrap = try Foreground.run(progress: { [weak self] in self?.progress.withLock { $0 } }) {
            let password = try MasterPassword.from(opened.secret.bytes)
            do throws(JoinError) {
                return try await session.engine.enrol(
                    kit: opened.device.kit, password: password, seconds: Int64(Moment.now))
            } catch {
                throw await session.failure(error, vault)
            }
        }
        try vault.adopt(adminWrap: wrap)
        let (report, address) = try Foreground.run(progress: { [weak self] in self?.progress.withLock { $0 } }) {
            do throws(SyncError) {
                return (try await session.engine.firstSync(), try await session.engine.status().address)
            } catch { throw await session.failure(error, vault, isSet: false) }
        }
        if let failure = SyncSummary(report, vault).failure { throw failure }
        // It may have been changed since the kit was issued.
        settings.take(address)
        try vault.setSyncSettings(settings.encoded)
        LastSync.note(vault)
        return vault.statistics().entries
    }

    private func close(_ vault: Vault) throws {
        do throws(VaultError) { try vault.close() } catch { throw Failure(error, vault: path) }
    }

    // MARK: Files

    /// The vault's own file comes last: until then there is no vault.
    private func publish(_ temporary: FilePath) throws {
        for suffix in Vault.fileSuffixes {
            let (from, to) = (FilePath(temporary.string + suffix), FilePath(path.string + suffix))
            if !suffix.isEmpty {
                guard FileManager.default.fileExists(atPath: from.string) else { continue }
            }
            do throws(VaultError) { try Vault.publish(from, as: to) } catch { throw Failure(error, vault: path) }
        }
        remove(temporary)
    }

    private func remove(_ temporary: FilePath) {
        for suffix in Vault.fileSuffixes {
            _ = unsafe FilePath(temporary.string + suffix).withPlatformString { unsafe Glibc.unlink($0) }
        }
    }
}

extension SyncSession {
    /// The sentence for what joining threw.
    func failure(_ error: JoinError, _ vault: Vault) async -> Failure {
        switch error {
        case .sync(.remote(.cancelled)): return Failure(.otherError, "Interrupted.")
        case .sync(.rolledBack(let alarm)) where alarm.object.hasPrefix("kit "):
            return Failure(
                .remoteRolledBack,
                "The remote knows nothing of this kit: it is older than the kit, or was rolled back.",
                hint: "Run `coffer sync` on the device that issued the kit, then try again.")
        case .sync(let error): return await failure(error, vault, isSet: false)
        default: return Failure(error)
        }
    }
}

extension Failure {
    /// What joining threw before there was a vault: one message for all that can be wrong with address, password and kit.
    init(_ error: JoinError) {
        switch error {
        case .wrongPassword:
            self.init(
                .wrongPassword, "E-mail address, master password and kit do not open the vault together.",
                hint: "Check each of them. A kit on which anything was changed opens with nothing, its address "
                    + "included; and after a rotation, only a kit that was issued since does.")
        case .canaryMismatch:
            self.init(
                .mismatch, "What is at the remote is not this kit's vault, or its canary was replaced.",
                hint: "Check the address, with --remote where the kit has an old one; nothing was written.")
        case .parametersOutOfBounds:
            self.init(
                .kdfOutOfBounds, "The kit asks for a key derivation outside of the safe bounds; it was not run.",
                hint: "The kit was changed: take another copy of it.")
        case .outOfMemory:
            self.init(
                .otherError, "There is not enough memory to derive the key.",
                hint: "Close other programs, or raise the limit (ulimit -v), and try again.")
        case .newerFormat(let version):
            self.init(newerKit: version)
        case .sync(let error):
            var context = AlarmContext()
            context.isSet = false
            self.init(error, context)
        }
    }

    /// A kit of a later program is no damaged one.
    init(newerKit format: Int, in file: String? = nil) {
        let place = file.map { " in \($0)" } ?? ""
        self.init(
            .otherError, "The kit\(place) has format \(format): a newer coffer made it, and this one cannot read it.",
            hint: "Update coffer on this machine; the kit is whole.")
    }

    /// Errors with a code of their own pass; others get their sentence.
    static func unlessSilent(_ error: any Error, vault: FilePath) -> any Error {
        error is Silent ? error : Failure(error, vault: vault)
    }
}
