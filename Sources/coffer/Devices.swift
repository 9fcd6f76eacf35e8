internal import ArgumentParser
internal import Foundation
internal import Sealing
internal import VaultFileSystem

struct Devices: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "List the devices of the vault, and revoke them.",
        discussion: VerbHelp.text(
            """
            A device is behind as long as it has not said that it has read all that this one has. It says so with what \
            it writes, and else half a minute after it has read: who stays behind was not there since.
            """,
            examples: ["coffer devices", "coffer devices revoke phone"],
            codes: .opening),
        subcommands: [Revoke.self])

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

                To change the master password alone revokes nothing.
                """,
                examples: ["coffer devices revoke phone"],
                codes: .opening + [
                    .remoteUnreachable, .remoteRolledBack, .remoteForked, .mismatch, .deviceRevoked,
                ]))

        @OptionGroup var vault: VaultOptions
        @OptionGroup var password: PasswordOptions

        @Argument(help: "The device's name, or enough of its id.")
        var name: String

        func run() throws {
            try vault.requireFile()
            if let mount = try vault.mount {
                let client = SyncClient(mount, vault.path)
                _ = try Interrupts.blocked { try client.perform(.find(name), secret: SecretBytes(count: 0)) }
            }
            let outcome = try vault.synchronise(.revoke(name), password, secret: .masterPassword)
            for note in outcome.notes { Console.say(note) }
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
