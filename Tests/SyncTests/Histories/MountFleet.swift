import Foundation
import TestSupport

@testable import Vault

/// The program itself: vaults that are mounted, and a folder as their remote.
final class MountFleet: HistoryFleet {
    private let homes: [TemporaryHome]
    private static let password = "plum violet anchor 47 harbour"
    private static let email = "ann@example.org"
    var count: Int { homes.count }
    let identifiers: IdentifierSource? = nil

    init(devices: Int) throws {
        homes = try (0..<devices).map { _ in try TemporaryHome() }
        let remote = try homes[0].directory("remote")
        var words = ""
        for (number, home) in homes.enumerated() {
            try home.write(Self.password + "\n", to: "password")
            _ = try home.directory("mount")
            let cost = ["--kdf-memory", "64", "--kdf-passes", "3", "--device-name", "device\(number)"]
            if number == 0 {
                let made = try coffer(0, ["init", "--email", Self.email] + cost)
                words = made.split(separator: "\n").last.map { String($0.dropFirst("Fingerprint: ".count)) } ?? ""
                try coffer(0, ["remote", "set", remote])
                try coffer(0, ["sync"])
                try coffer(0, ["kit", "--png", homes[0].file("kit.png"), "--email", Self.email])
            } else {
                let join = ["join", "--kit", homes[0].file("kit.png"), "--email", Self.email, "--fingerprint", words]
                try coffer(number, join + cost)
            }
            try mount(number)
        }
    }

    private func mount(_ device: Int) throws {
        try coffer(device, ["mount", homes[device].file("mount"), "--no-sync", "-o", "umask=0"])
    }

    @discardableResult
    private func coffer(_ device: Int, _ arguments: [String]) throws -> String {
        let home = homes[device]
        let words = arguments + ["--password-file", home.file("password")]
        return try home.command(try Program.coffer(), words).run(expecting: 0).text
    }

    func folder(_ device: Int, _ name: String) -> any HistoryPlace {
        MountedFolder(homes[device].file("mount/\(name)"))
    }

    func synchronise(_ device: Int) async throws -> String {
        let said = try homes[device].coffer("sync").run(expecting: 0).text
        return said.split(separator: "\n").filter { $0.hasPrefix("Conflict") }.joined(separator: "; ")
    }

    func reopen(_ device: Int) throws {
        try homes[device].coffer("lock", homes[device].file("mount")).run(expecting: 0)
        try mount(device)
    }

    func damage(_ device: Int) throws -> String? {
        let result = try homes[device].coffer("verify").run()
        return result.code == 0 ? nil : result.text + result.errorText
    }
}
