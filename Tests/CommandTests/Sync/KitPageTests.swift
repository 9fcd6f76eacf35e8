import Foundation
import TestSupport
import Testing

/// The page of a kit leads a new device to the vault.
@Suite struct KitPageTests {
    /// The page in each of its forms, and a photograph of it.
    @Test func pageJoins() throws {
        try TwoDevices.with(joined: false) { devices in
            let (a, b) = (devices.a, devices.b)
            let files = ["kit.txt", "kit.svg", "kit.png"].map { a.home.file($0) }
            try a.opened("kit", "--output", files[0], "--output", files[1], "--output", files[2]).run(expecting: 0)
            try a.sync()
            let photograph = ["-background", "#665", "-rotate", "12", "-resize", "80%", "-blur", "0x1", "photo.jpg"]
            try b.home.command("convert", [files[2]] + photograph).run(expecting: 0)
            for file in files + ["photo.jpg"] {
                try b.coffer(
                    ["join", "--kit", file, "--email", TwoDevices.email, "--password-file", b.passwordFile]
                        + TwoDevices.cost + devices.a.fingerprint
                ).run(expecting: 0)
                #expect(try b.show("note") == "first line\n")
                try FileManager.default.removeItem(atPath: b.file)
            }
        }
    }
}
