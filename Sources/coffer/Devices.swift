internal import ArgumentParser
internal import Foundation
internal import Sealing
internal import VaultFileSystem

struct Devices: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "List the devices of the vault, revoke and rename them, and leave.",
        discussion: VerbHelp.text(
            """
            A device is behind as long as it has not said that it has read all that this one has. It says so with what \
            it writes, and else half a minute after it has read: who stays behind was not there since.
            """,
            examples: ["coffer devices", "coffer devices revoke phone"],
            codes: .opening),
        subcommands: [Revoke.self, Rename.self, Leave.self])

    @OptionGroup var vault: VaultOptions
    @OptionGroup var password: PasswordOptions

    @Flag(name: .long, help: "Print JSON.")
    var json = false

    func run() throws {
        let devices = try vault.devices(password)
        if json { return Console.json(devices) }
        let width = devices.map(\.name.count).max() ?? 0
        for device in devices {
            let name = device.name.padding(toLength: max(width, 1), withPad: " ", startingAt: 0)
            Console.result("\(name)  \(device.id)  \(device.state)")
        }
    }

    struct Revoke: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Shut a device out.",
            discussion: VerbHelp.text(
                """
                Makes a new account key, which the other devices get and the revoked one does not: it reads nothing \
                that is written from now on, and what it writes is refused. It keeps what it has: change the secrets \
                that were on it. Kits that were issued before open nothing new; issue one with `coffer kit`.

                With --undo-since, what the device did since then is undone, by edits of this device: entries get \
                their contents from before, what it removed comes back from the trash, what it moved goes back, and \
                what it made goes to the trash. What others have changed since stays, and is named with all that this \
                device cannot undo: history is each device's own, so another device may have what this one lacks. A \
                time is when this device learned of an edit, by its own clock; `segment:N` is the N-th segment of the \
                device, as `coffer history --device` shows it. Of a device that is revoked already its edits are \
                undone; what was cut off is done by the same command again.

                To change the master password alone revokes nothing.
                """,
                examples: [
                    "coffer devices revoke phone", "coffer devices revoke laptop --undo-since 3d",
                ],
                codes: .opening + [
                    .remoteUnreachable, .remoteRolledBack, .remoteForked, .mismatch, .deviceRevoked,
                ]))

        @OptionGroup var vault: VaultOptions
        @OptionGroup var password: PasswordOptions

        @Argument(help: "The device's name, or enough of its id.")
        var name: String

        @Option(
            name: .long,
            help: ArgumentHelp(
                "Undo what the device did since then. \(SinceOption.help), or `segment:N`.", valueName: "time"))
        var undoSince: String?

        /// --json is the flag of `devices`, wherever it stands.
        @ParentCommand var devices: Devices

        func validate() throws { _ = try start() }

        private func start() throws -> UndoSince? {
            guard let undoSince else { return nil }
            if let number = undoSince.wholeMatch(of: #/segment:([0-9]{1,18})/#) {
                return UndoSince(segment: UInt64(number.1))
            }
            return UndoSince(time: try SinceOption.parse(undoSince, "--undo-since"))
        }

        func run() throws {
            try vault.requireFile()
            let since = try start()
            if since == nil, let mount = try vault.mount {
                let client = SyncClient(mount, vault.path)
                _ = try Interrupts.blocked { try client.perform(.find(name), secret: SecretBytes(count: 0)) }
            }
            let request = since.map { SyncRequest.revokeAndUndo(name, since: $0) } ?? .revoke(name)
            let outcome = try vault.synchronise(request, password, secret: .masterPassword)
            for note in outcome.notes { Console.say(note) }
            if let undo = outcome.undo { show(undo) }
        }

        private func show(_ undo: UndoView) {
            if devices.json { return Console.json(undo) }
            Console.result(undo.sentence)
            if let since = undo.knownSince {
                Console.result("What it did before \(since) is not known here: another device may know more.")
            }
            guard !undo.left.isEmpty else { return }
            Console.result("Not undone:")
            for left in undo.left { Console.result("  \(left.sentence)") }
            if undo.notListed > 0 { Console.result("  and \(undo.notListed) more") }
        }
    }
}

extension VaultOptions {
    /// All devices of the vault.
    fileprivate func devices(_ password: PasswordOptions) throws -> [SyncOverview.Device] {
        var request = SyncRequest.devices
        var devices: [SyncOverview.Device] = []
        return try synchronising(password) { client in
            while true {
                let outcome = try client.perform(request, secret: SecretBytes(count: 0))
                devices += outcome.devices ?? []
                guard outcome.hasMoreDevices == true else { return devices }
                request = .devicesFrom(devices.count)
            }
        }
    }
}

extension SyncOverview.Device {
    /// In words.
    var state: String {
        if isRevoked { return "revoked" }
        if isThisOne { return "this device" }
        let seen = lastSeen.map { "last seen \($0)" } ?? "never seen"
        return isBehind ? "\(seen), behind" : seen
    }
}
