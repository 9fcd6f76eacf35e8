internal import ArgumentParser
internal import Format
internal import Foundation
internal import Sealing
internal import SystemPackage
internal import Vault

extension Devices {
    struct Leave: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Take this device out of the vault, and remove the vault here.",
            discussion: VerbHelp.text(
                """
                For a machine that goes to somebody else. What is not pushed yet is pushed first, and where that does not \
                work nothing is done. Then the other devices get a new account key, this one is revoked, and its files \
                of the vault are overwritten and removed, with their history and trash. Kits that were issued before \
                open nothing new.

                What overwriting is worth depends on the disk. An SSD, a file system that writes elsewhere (Btrfs, ZFS), \
                its snapshots, and backups keep old blocks. Those are ciphertext that the master password of then opens. \
                So erase the whole disk before you give it away, or have it encrypted from the beginning.
                """,
                examples: ["coffer devices leave"],
                codes: .opening + [
                    .notSaved, .remoteUnreachable, .remoteRolledBack, .remoteForked, .mismatch, .deviceRevoked,
                ]))

        @OptionGroup var vault: VaultOptions
        @OptionGroup var password: PasswordOptions

        @Flag(name: .long, help: "Do not ask whether to do it.")
        var yes = false

        func run() throws {
            try vault.requireFile()
            guard try vault.mount == nil else {
                throw Failure(
                    .vaultInUse, "The vault \(vault.path) is mounted.", hint: "Lock it with `coffer lock`, then leave.")
            }
            try confirm()
            let line = try password.readLine(prompt: "Master password: ", locked: vault.path)
            let opened = try vault.open(MasterPassword.from(line))
            let (identifier, device) = (opened.identifier.hexadecimal, opened.device.hexadecimal)
            _ = try vault.withHost(opened) { try $0.perform(.leave, secret: line) }
            do throws(VaultError) { try Vault.erase(at: vault.path, stateDirectory: Directories.state) } catch {
                var failure = Failure(error, vault: vault.path)
                failure.message = "This device has left, but the vault's files are still here: \(failure.message)"
                failure.hint = "Remove \(vault.path) and what begins with its name."
                throw failure
            }
            Leave.removeState(of: identifier, device)
            Console.say("This device has left the vault, and the vault's files here are overwritten and removed.")
            Console.say("Whatever the disk keeps of old blocks is ciphertext that the master password opens: erase the")
            Console.say("whole disk before it goes to somebody else.")
        }

        /// What this machine kept of the vault outside of it. Another device of the same vault may be here, too.
        private static func removeState(of vault: String, _ device: String) {
            let folder = Directories.state.appending("coffer").string
            let files = FileManager.default
            try? files.removeItem(atPath: "\(folder)/\(vault)-\(device).counter")
            let names = (try? files.contentsOfDirectory(atPath: folder)) ?? []
            guard !names.contains(where: { $0.hasPrefix("\(vault)-") && $0.hasSuffix(".counter") }) else { return }
            for name in names where name.hasPrefix("\(vault).") { try? files.removeItem(atPath: "\(folder)/\(name)") }
            try? files.removeItem(atPath: "\(folder)/evidence/\(vault)")
        }

        private func confirm() throws {
            guard !yes else { return }
            let answer = try Console.ask(
                "Remove the vault \(vault.path) from this machine, with its history and trash? [yes/no] ",
                option: "--yes")
            guard ["yes", "y"].contains(answer.lowercased()) else {
                throw Failure(.otherError, "Nothing was done.")
            }
        }
    }
}
