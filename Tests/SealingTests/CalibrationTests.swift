import TestSupport
import Testing

@testable import Sealing

/// The cost of deriving keys, chosen for a machine.
@Suite(.trueCost) struct CalibrationTests {
    /// Passes that fit into half a second where three took so many milliseconds.
    @Test(arguments: [
        (1, 10), (149, 10), (150, 10), (167, 8), (250, 6), (374, 4), (375, 4), (376, 3), (500, 3), (5000, 3), (0, 3),
    ])
    func passes(milliseconds: Int, expected: UInt32) {
        let found = KDFParameters.unlockDefault.passes(for: .milliseconds(500), measured: .milliseconds(milliseconds))
        #expect(found == expected)
    }

    /// Never more than a quarter of the machine's memory, never out of bounds.
    @Test(arguments: [(1, 64), (256, 64), (300, 75), (512, 128)]) func memory(machine: UInt64, expected: UInt32) throws
    {
        let found = KDFParameters.calibrated(physicalMemoryMiB: machine)
        #expect(found.memoryMiB == expected)
        #expect((3...10).contains(found.passes))
        try found.validate(physicalMemoryMiB: machine)
    }

    @Test func onALargeMachineNotBelowTheDefault() {
        let found = KDFParameters.calibrated(physicalMemoryMiB: 1 << 20)
        #expect(found.memoryMiB == KDFParameters.unlockDefault.memoryMiB)
        #expect((3...10).contains(found.passes))
    }

    /// Of the default, the kit's default; elsewhere passes make up for memory that is not there.
    @Test(arguments: [
        (3, 256, 1 << 20, 4, 1024), (3, 256, 4096, 4, 1024), (3, 256, 2048, 8, 512), (3, 256, 1024, 10, 256),
        (10, 256, 1 << 20, 10, 1024), (3, 64, 1 << 20, 4, 256), (3, 2048, 1 << 20, 4, 4096),
        (10, 4096, 1 << 20, 10, 4096), (3, 512, 1024, 10, 512), (3, 64, 1, 10, 64),
    ])
    func kit(passes: UInt32, memory: UInt32, machine: UInt64, kitPasses: UInt32, kitMemory: UInt32) {
        let unlock = KDFParameters(passes: passes, memoryMiB: memory)
        let kit = KDFParameters.kit(for: unlock, physicalMemoryMiB: machine)
        #expect(kit == KDFParameters(passes: kitPasses, memoryMiB: kitMemory))
    }

    @Test func kitOfTheDefaultIsItsDefault() {
        #expect(KDFParameters.kit(for: .unlockDefault, physicalMemoryMiB: 16384) == .kitDefault)
    }

    /// Dearer than another kit wherever a machine can, and opened by every machine of the same size.
    @Test(arguments: [
        (3, 256, 16384), (3, 256, 4096), (6, 256, 2048), (3, 64, 1024), (3, 64, 1 << 20), (10, 256, 4096),
    ])
    func mailedKitCostsMore(passes: UInt32, memory: UInt32, machine: UInt64) throws {
        let unlock = KDFParameters(passes: passes, memoryMiB: memory)
        let kit = KDFParameters.kit(for: unlock, physicalMemoryMiB: machine)
        let mailed = KDFParameters.mailedKit(for: unlock, physicalMemoryMiB: machine)
        try mailed.validate(physicalMemoryMiB: machine)
        #expect(mailed.memoryMiB >= kit.memoryMiB && mailed.passes >= kit.passes)
        #expect(UInt64(mailed.passes) * UInt64(mailed.memoryMiB) * 2 >= UInt64(kit.passes) * UInt64(kit.memoryMiB) * 4)
    }
}
