import Foundation
import TestSupport
import Testing

/// The recorder and the disk that is made from its log: a disk that loses nothing would let every test pass.
@Suite struct RecorderTests {
    /// What `script` does in a folder, recorded.
    private func disk(_ script: String, _ home: TemporaryHome) throws -> Disk {
        let log = try RecordedLog(home.file("log"), of: home.directory("data"))
        // Of dd, since what the C library writes for printf is not recorded.
        let make = "put() { dd of=$1 oflag=append conv=notrunc status=none; }; "
        var command = home.command("bash", ["-euc", make + script])
        command.directory = home.file("data")
        try command.environment?.merge(log.environment()) { $1 }
        try command.run(expecting: 0)
        let disk = try Disk(log)
        let found = try RecordedLog.files(below: log.directory).mapValues(\.bytes)
        #expect(PowerLoss.nothingLost(of: disk) == found)
        return disk
    }

    private func outcomes(_ disk: Disk) -> Set<[String: Data]> {
        Set((0..<300).map { PowerLoss(place: disk.records.count, seed: $0).files(of: disk) })
    }

    @Test func whatIsSyncedIsThere() throws {
        let disk = try disk("printf abc | put one; sync one; sync .; printf d | put one", TemporaryHome())
        // The new length may be there without the byte.
        #expect(outcomes(disk) == Set(["abc", "abcd", "abc\0"].map { ["one": Data($0.utf8)] }))
    }

    @Test func nameOfASyncedFileMayBeMissing() throws {
        let disk = try disk("printf abc | put one; sync one", TemporaryHome())
        #expect(outcomes(disk) == [[:], ["one": Data("abc".utf8)]])
    }

    @Test func namesMayBeOldOrNew() throws {
        let script = "printf a | put a; printf b | put b; sync a b .; mv a b; printf c | put c; sync c"
        let disk = try disk(script, TemporaryHome())
        let (old, new, other) = (Data("a".utf8), Data("b".utf8), Data("c".utf8))
        // Those after the rename come after it.
        #expect(outcomes(disk) == [["a": old, "b": new], ["b": old], ["b": old, "c": other]])
    }

    @Test func sectorsAreLostOneByOne() throws {
        let script = """
            dd if=/dev/zero of=one bs=64k count=1 conv=fsync status=none; sync .
            dd if=<(yes) of=one bs=8k count=8 iflag=fullblock conv=notrunc status=none
            """
        let disk = try disk(script, TemporaryHome())
        let (old, new) = (Data(count: 512), Data(String(repeating: "y\n", count: 256).utf8))
        var mixtures = Set<[Bool]>()
        for outcome in outcomes(disk) {
            let bytes = try #require(outcome["one"])
            let sectors = stride(from: 0, to: bytes.count, by: 512).map { bytes[$0..<($0 + 512)] }
            #expect(bytes.count == 65536)
            #expect(sectors.allSatisfy { $0 == old || $0 == new })
            mixtures.insert(sectors.map { $0 == new })
        }
        #expect(mixtures.contains { !$0.contains(false) } && mixtures.contains { !$0.contains(true) })
        #expect(mixtures.contains { $0.last == true && $0.first == false }, "the order of writes is not kept")
        #expect(mixtures.contains { Array($0.prefix(8)) != Array(repeating: $0[0], count: 8) }, "a page is torn")
    }
}
