import Foundation
import Format
import Sealing
import Synchronization
import SystemPackage
import Testing

@testable import Vault

/// A small vault with every byte of its file flipped in turn, and cut at every sector: either all is right, or
/// something is reported; never a crash, never a wrong content.
@Suite struct FlippedByteTests {
    /// One byte of each kind of row: a file in its row, one in a chunk, one earlier version, a directory.
    private struct Sample {
        let fixture: Fixture
        let pristine: [UInt8]
        let wrap: [UInt8]
        let key: AccountKey
        static let contents = ["a": "in the row", "b": String(repeating: "in a chunk ", count: 100)]

        init() throws {
            fixture = try Fixture()
            try fixture.fill { vault in
                for (name, text) in Self.contents.sorted(by: { $0.key < $1.key }) { try vault.save(name, text) }
                try vault.save("a", "in the row")
                try vault.makeDirectory("d")
            }
            pristine = try fixture.bytes()
            let locked = try LockedVault(fixture.file, .init(stateDirectory: fixture.state))
            wrap = locked.header[Header.unlockWrap]
            key = try locked.unwrap(MasterPassword(Fixture.password))
        }

        /// What ``Vault/open(at:password:options:)`` does; the key is derived only where the wrap is another.
        func open() throws(VaultError) -> Vault {
            let options = Vault.OpenOptions(readOnly: true, tolerateDamage: true, stateDirectory: fixture.state)
            let locked = try LockedVault(fixture.file, options)
            let key: AccountKey
            if locked.header[Header.unlockWrap] == wrap {
                key = self.key
            } else {
                let password: MasterPassword
                do { password = try MasterPassword(Fixture.password) } catch { throw .wrongPassword }
                key = try locked.unwrap(password)
            }
            return Vault(
                try Unlocked(
                    file: locked.file, accountKey: key, header: locked.header, vault: locked.identifier,
                    options: options, mounter: (geteuid(), getegid())))
        }

        /// Whether the damaged file was refused or complained about; wrong contents are issues.
        func isReported(_ place: String) throws -> Bool {
            let vault: Vault
            do throws(VaultError) { vault = try open() } catch { return true }
            defer { try? vault.close() }
            var isComplete = true
            for (name, text) in Self.contents {
                do throws(Errno) {
                    let read = try vault.text(name)
                    if read != text { Issue.record("\(place): \(name) reads \(read.prefix(40))") }
                } catch {
                    isComplete = false
                }
            }
            do throws(Errno) {
                let node = try vault.find("a")
                if try vault.versions(of: node) != ["in the row"] { isComplete = false }
            } catch {
                isComplete = false
            }
            let names = Set((try? vault.names()) ?? [])
            if names != ["a", "b", "d"] { isComplete = false }
            let isFound = try !vault.verify { _, _ in }.damage.isEmpty
            if !isComplete, !isFound { Issue.record("\(place): something is missing and verify finds nothing") }
            return !vault.damage.isEmpty || isFound
        }
    }

    @Test func pristineVaultIsWhole() throws {
        let sample = try Sample()
        #expect(try !sample.isReported("pristine"))
        #expect(try sample.fixture.bytes() == sample.pristine)
    }

    static let parts = 16

    @Test(arguments: 0..<parts) func everyByte(part: Int) throws {
        let sample = try Sample()
        var reported = 0
        let handle = try FileHandle(forUpdating: URL(fileURLWithPath: sample.fixture.file.string))
        func put(_ byte: UInt8, at offset: Int) throws {
            try handle.seek(toOffset: UInt64(offset))
            try handle.write(contentsOf: [byte])
        }
        for range in Self.pieces(of: sample.pristine) where range.lowerBound / 64 % Self.parts == part {
            for offset in range {
                try put(sample.pristine[offset] ^ UInt8(1) << UInt8((offset &* 5 / 3) % 8), at: offset)
            }
            if try sample.isReported("byte \(range.lowerBound)") { reported += range.count }
            for offset in range { try put(sample.pristine[offset], at: offset) }
        }
        // SQLite itself puts the two bytes right that tell that there is a log.
        for offset in [18, 19, 24, 25, 26, 27, 92, 93, 94, 95] { try put(sample.pristine[offset], at: offset) }
        try handle.close()
        #expect(try sample.fixture.bytes() == sample.pristine, "opening a damaged file does not change it")
        #expect(reported > 0)
    }

    /// Each byte by itself, and free space (which SQLite fills with zeroes) 64 bytes at a time.
    private static func pieces(of bytes: [UInt8]) -> [Range<Int>] {
        stride(from: 0, to: bytes.count, by: 64).flatMap { start in
            let end = min(start + 64, bytes.count)
            return bytes[start..<end].allSatisfy { $0 == 0 } ? [start..<end] : (start..<end).map { $0..<($0 + 1) }
        }
    }

    @Test func everyTruncation() throws {
        let sample = try Sample()
        for length in stride(from: 0, to: sample.pristine.count, by: 512) {
            try sample.fixture.write(Array(sample.pristine[..<length]))
            let isReported = try sample.isReported("\(length) bytes")
            // Zeroes that are missing are read as zeroes.
            let isSame = sample.pristine[length...].allSatisfy { $0 == 0 }
            #expect(isReported || isSame, "\(length) of \(sample.pristine.count) bytes")
        }
    }

    /// Whole sectors of zeroes or of another sector, as failing disks give them.
    @Test func everySectorLost() throws {
        let sample = try Sample()
        let size = sample.pristine.count
        for start in stride(from: 0, to: size, by: 512) {
            var bytes = sample.pristine
            bytes.replaceSubrange(start..<(start + 512), with: [UInt8](repeating: 0, count: 512))
            try sample.fixture.write(bytes)
            let isSame = bytes == sample.pristine
            #expect(try isSame || sample.isReported("zeroes at \(start)"))
            bytes = sample.pristine
            let other = (start + 4096) % size
            bytes.replaceSubrange(start..<(start + 512), with: sample.pristine[other..<(other + 512)])
            try sample.fixture.write(bytes)
            _ = try sample.isReported("another sector at \(start)")
        }
    }
}
