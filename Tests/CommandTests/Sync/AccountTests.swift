import Foundation
import TestSupport
import Testing

/// The address that is given at sign-up is the account's.
@Suite struct AccountTests {
    /// `coffer join` on B with a kit's text.
    private func join(
        _ devices: TwoDevices, _ kit: String, _ email: String, expecting code: Int32 = 0
    ) throws -> Command.Result {
        try devices.b.home.write(kit, to: "kit.txt")
        return try devices.b.coffer(
            ["join", "--kit", "kit.txt", "--email", email, "--password-file", devices.b.passwordFile] + TwoDevices.cost
                + devices.a.fingerprint
        ).run(expecting: code)
    }

    private func address(_ vault: TestVault) throws -> String { try vault.opened("account").run(expecting: 0).text }

    @Test(arguments: [false, true]) func kitsAreBoundToIt(isMounted: Bool) throws {
        try TwoDevices.with(joined: false) { devices in
            let a = devices.a
            if isMounted { try a.mount("--no-sync") }
            let issued = try a.opened("kit", "--text").run(expecting: 0)
            #expect(issued.errorText.contains("bound to \(TwoDevices.email)"))
            if isMounted { try a.lock() }
            _ = try join(devices, issued.text, "bob@example.org", expecting: 12)
            _ = try join(devices, issued.text, TwoDevices.email)
            #expect(try address(devices.b) == TwoDevices.email + "\n")
            let json = try devices.b.opened("account", "--json").run(expecting: 0).output
            #expect(try JSONDecoder().decode([String: String].self, from: Data(json)) == ["email": TwoDevices.email])
        }
    }

    /// It reaches the other device, and its kits; kits from before keep the old one.
    @Test(arguments: [false, true]) func itCanBeChanged(isMounted: Bool) throws {
        try TwoDevices.with { devices in
            let (a, b) = (devices.a, devices.b)
            let old = try a.opened("kit", "--text").run(expecting: 0).text
            if isMounted { try a.mount("--no-sync") }
            try a.coffer(["account", "set-email", "x@example.org"], input: "wrong password 12\n").run(expecting: 12)
            #expect(try address(a) == TwoDevices.email + "\n")
            let changed = try a.opened("account", "set-email", "ann@example.net").run(expecting: 0)
            #expect(changed.errorText.contains("issued before") && changed.errorText.contains(TwoDevices.email))
            #expect(try address(a) == "ann@example.net\n")
            try a.coffer(["sync", "--password-file", a.passwordFile]).run(expecting: 0)
            if isMounted { try a.lock() }
            try b.sync()
            #expect(try address(b) == "ann@example.net\n")
            let new = try b.opened("kit", "--text").run(expecting: 0).text
            for (kit, email) in [(old, TwoDevices.email), (new, "ann@example.net")] {
                try FileManager.default.removeItem(atPath: b.file)
                _ = try join(devices, kit, email)
                // The logs tell of the change.
                #expect(try address(b) == "ann@example.net\n")
            }
        }
    }

    /// A vault that has none: what a device has joined with is what its own kits are bound to.
    @Test func aJoinerKeepsWhatItHasJoinedWith() throws {
        try TestVault.with { a in
            try TestVault.with(initialized: false) { b in
                #expect(try a.opened("account").run(expecting: 1).errorText.contains("set-email"))
                #expect(try a.opened("kit", "--text").run(expecting: 0).errorText.contains("no e-mail address"))
                try a.opened("kit", "--mail").run(expecting: 64)
                try a.opened("remote", "set", a.home.directory("remote")).run(expecting: 0)
                try a.sync()
                // The name that the option had before.
                let kit = try a.opened("kit", "--text", "--address", "bob@example.org").run(expecting: 0).text
                try b.home.write(kit, to: "kit.txt")
                try b.coffer(
                    ["join", "--kit", "kit.txt", "--email", "bob@example.org", "--password-file", b.passwordFile]
                        + TwoDevices.cost + a.fingerprint
                ).run(expecting: 0)
                #expect(try address(b) == "bob@example.org\n")
                let mail = try b.opened("kit", "--mail").run(expecting: 0).text
                #expect(mail.contains("To: bob@example.org\r\n"))
            }
        }
    }

    /// It is sealed: neither the vault's file nor the remote shows it.
    @Test func nobodyElseReadsIt() throws {
        try TwoDevices.with { devices in
            try devices.a.opened("account", "set-email", "unheard@example.net").run(expecting: 0)
            try devices.syncAll()
            let home = devices.a.home
            for folder in [devices.place.folder, home.file(".local")] {
                for (path, bytes) in RemoteFiles(folder: folder).contents() {
                    for address in [TwoDevices.email, "unheard@example.net"] {
                        #expect(Data(bytes).range(of: Data(address.utf8)) == nil, "\(path)")
                    }
                }
            }
        }
    }

    @Test(arguments: ["", "\u{1}@example.org", String(repeating: "a", count: 255)]) func noAddress(_ text: String)
        throws
    {
        let home = try TemporaryHome()
        for verb in [["init", "--email", text], ["account", "set-email", text]] {
            try home.command(try Program.coffer(), verb).run(expecting: 64)
        }
    }
}
