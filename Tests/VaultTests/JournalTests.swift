import Format
import Foundation
import Sealing
import SystemPackage
import Testing

@testable import Vault

/// The journal while one thread adds to it and another one empties it.
@Suite struct JournalTests {
    /// What was added is found until it is in the store, whatever goes out of the journal at the same moment.
    @Test func whatIsAddedIsFound() throws {
        let fixture = try Fixture()
        let keys = Keys(accountKey: AccountKey(epoch: 1), vault: Identifier.fresh())
        let journal = Journal(vault: fixture.file, keys: keys, isOff: false)
        let seal = [UInt8](repeating: 7, count: Seal.size)
        func rows(_ slot: Int64) -> RowSet {
            var set = RowSet()
            unsafe seal.withUnsafeBytes { seal in
                var change = unsafe RowChange(.put, RowKey(.entry, slot))
                unsafe change.seal = seal
                unsafe set.append(change)
            }
            return set
        }
        let (first, second) = (rows(1), rows(2))
        for round in 0..<20_000 {
            try journal.append(first, base: UInt64(round * 2))
            #expect(journal.rotate())
            DispatchQueue.concurrentPerform(iterations: 2) { part in
                guard part == 0 else { return (try? journal.append(second, base: UInt64(round * 2 + 1))) ?? () }
                // At another moment of the other one's work each time.
                for _ in 0..<(round % 250) { _ = journal.isOpenEmpty }
                journal.releaseFull()
            }
            guard journal.row(RowKey(.entry, 2)) != nil else {
                Issue.record("round \(round): what was added is not found")
                return
            }
            journal.rotate()
            journal.releaseFull()
        }
    }
}
