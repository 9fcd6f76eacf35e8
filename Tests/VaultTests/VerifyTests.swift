import Foundation
import Format
import Synchronization
import SystemPackage
import TestSupport
import Testing

@testable import Vault

/// Verifying a vault that is in use.
@Suite struct VerifyTests {
    /// Half of the files that are still to be read go, and the other half is saved anew.
    @Test func whatGoesWhileItIsVerifiedIsNoDamage() throws {
        let fixture = try Fixture()
        let vault = try fixture.create()
        // Names that stay on this machine: what is removed is in no trash.
        for number in 0..<1200 { try vault.save("\(number)~", "text \(number)") }
        var hasBegun = false
        let report = try vault.verify { done, _ in
            guard !hasBegun, done < 1200 else { return }
            hasBegun = true
            for number in 0..<1200 {
                #expect(throws: Never.self) {
                    if number % 2 == 0 { try vault.unlink("\(number)~") } else { try vault.save("\(number)~", "new") }
                }
            }
        }
        #expect(hasBegun && report.damage == [])
        #expect(try vault.verify { _, _ in }.damage == [])
        try vault.close()
    }

    /// Large contents are saved, and files made and removed, all the time.
    @Test func besideSavesAndRemovalsItFindsNoDamage() throws {
        let fixture = try Fixture()
        let vault = try fixture.create()
        var random = Randomness(seed: 1)
        let content = random.bytes(1 << 20)
        for number in 0..<20 { try vault.save("large \(number)~", content) }
        let isOver = Atomic<Bool>(false)
        let writers = DispatchGroup()
        for writer in 0..<2 {
            Thread.run(in: writers) {
                var number = writer
                while !isOver.load(ordering: .relaxed) {
                    number += 2
                    let name = "large \(number % 20)~"
                    if number % 3 == 0 { try? vault.unlink(name) }
                    _ = try? vault.save(name, content)
                }
            }
        }
        for _ in 0..<12 { #expect(try vault.verify { _, _ in }.damage == []) }
        isOver.store(true, ordering: .relaxed)
        writers.wait()
        #expect(try vault.verify { _, _ in }.damage == [])
        try vault.close()
    }
}
