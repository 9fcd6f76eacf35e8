internal import Format
internal import Remotes
internal import Sync
internal import Synchronization
internal import Vault
internal import VaultFileSystem

/// An open vault and a remote with the engine between them. Kept from run to run: with it the remote's connections, and
/// what is known of it.
final class SyncSession: Sendable {
    let settings: RemoteSettings
    let remote: any Remote
    let engine: SyncEngine<VaultReplica>
    private let evidence: EvidenceFolder

    /// - Parameters:
    ///   - creates: makes the remote's folder, where it is missing.
    ///   - commands: how those are run that the remote's password comes from.
    ///   - replica: and `keys`: of a device that this one becomes; the vault's own by default.
    ///   - tell: told in words what takes long.
    init(
        _ vault: Vault, _ settings: RemoteSettings, deviceName: String, creates: Bool = false,
        commands: CredentialCommands = .ownChildren,
        replica: VaultReplica? = nil, keys: SyncKeys? = nil, tell: @escaping @Sendable (String) -> Void
    ) throws {
        self.settings = settings
        remote = try settings.open(creates: creates, commands: commands)
        let evidence = EvidenceFolder(of: vault)
        self.evidence = evidence
        var environment = SyncEnvironment(
            date: { Moment.today() }, deviceName: Array(deviceName.utf8), segmentBytes: 1 << 20)
        environment.progress = { tell($0.sentence) }
        environment.keepEvidence = { name, bytes in evidence.keep(bytes, as: name) }
        do throws(VaultError) {
            let own: SyncKeys
            if let keys { own = keys } else { own = try SyncKeys(vault) }
            engine = SyncEngine(
                replica: replica ?? VaultReplica(vault), remote: remote, keys: own, environment: environment)
        } catch {
            throw Failure(error, vault: vault.path)
        }
    }

    /// The folder of the directory that the remote is; nil for others.
    var folder: String? {
        if let address = try? settings.address, case .directory(let path) = address { return path }
        return nil
    }

    /// What a run does before anything else can be said of it.
    var beginning: String {
        switch try? settings.address {
        case .directory(let path): "Looking at \(path)"
        case .web(let address): "Waiting for \(address.host)"
        case nil: "Waiting for the remote"
        }
    }

    /// The sentence for what a run threw, with what it is about.
    ///
    /// - Parameter isSet: the remote is the vault's; else it was only tried.
    func failure(_ error: SyncError, _ vault: Vault, isSet: Bool = true) async -> Failure {
        var context = AlarmContext()
        context.isSet = isSet
        switch error {
        case .rolledBack(let alarm), .forked(let alarm):
            context.isThisDevice = alarm.device == vault.device
            let devices = (try? await engine.status().devices) ?? []
            if let device = devices.first(where: { $0.identifier == alarm.device }) { context.device = device.label }
        case .cloned: context.isRestored = SyncSettings.read(vault)?.restored != nil
        default: break
        }
        // Names of objects only: what entries are called goes to nobody but who asked.
        context.evidence = evidence.finish("\(error)")
        var failure = Failure(error, context)
        if let device = error.alarmedDevice(own: vault.device) {
            // The alarm comes first: that more cannot be said is the lesser trouble.
            let affected = (try? await engine.affected(by: error)) ?? AffectedEntries()
            failure.alarm = SyncOverview.Alarm(failure.message, error, device, context, affected, vault)
        }
        return failure
    }
}

extension SyncProgress {
    var sentence: String {
        let what =
            switch phase {
            case .pushing: "Pushing"
            case .pulling: "Pulling"
            case .snapshot: "Reading the snapshot"
            }
        return "\(what): \(done) of \(total), \(bytes >> 10) KiB"
    }
}

extension SyncStatus.Device {
    /// Its name, or the beginning of its id where it has none.
    var label: String {
        name.isEmpty ? String(identifier.hexadecimal.prefix(8)) : String(decoding: name, as: UTF8.self)
    }
}
