import Foundation
import TestSupport

/// Kinds of files and of calls, as in Tests/FaultInjector/include/injector.h.
enum FaultFile: Int, CaseIterable, Sendable { case store, log, journal, chunks, counter, directory }

enum FaultCall: Int, CaseIterable, Sendable { case open, read, write, sync, truncate, allocate, name }

/// Which calls fail, and with what.
struct Fault: Sendable, CustomStringConvertible {
    var files: Set<FaultFile>
    var calls: Set<FaultCall>
    /// Those of the chosen calls with these numbers, from 1…
    var numbers: ClosedRange<Int>
    /// …each with this chance.
    var oneIn = 1
    var seed: UInt64 = 0
    /// The errno; 0: they wait until ``FaultControl/release()``.
    var error: Int32
    /// Half of what a failing call writes is written.
    var isTorn = false

    var description: String {
        let names = files.map { "\($0)" }.sorted().joined(separator: ","), calls = calls.map { "\($0)" }.sorted()
        let end = numbers.upperBound == .max ? "on" : "to \(numbers.upperBound)"
        return "\(names) \(calls.joined(separator: ",")) \(numbers.lowerBound) \(end), one in \(oneIn) (\(seed)), "
            + "errno \(error)\(isTorn ? ", torn" : "")"
    }

    /// Whether only the answer of syncs is wrong.
    var isOfSyncs: Bool { calls == [.sync] }
}

/// The file by which the test tells the injector (Tests/FaultInjector) what fails.
final class FaultControl: Sendable {
    private let file: Posix.File
    private let path: String
    private let directory: String
    private static let size = 64 + FaultFile.allCases.count * FaultCall.allCases.count * 8

    /// Faults in what happens to the files below `directory`; none yet.
    init(_ path: String, of directory: String) throws {
        (self.path, self.directory) = (path, directory)
        file = try Posix.File(path, O_RDWR | O_CREAT | O_TRUNC, mode: 0o600)
        try file.write([UInt8](repeating: 0, count: Self.size))
        try Posix.check(unsafe mkfifo(path + ".fifo", 0o600), "mkfifo")
    }

    /// What a program needs in its environment.
    func environment() throws -> [String: String] {
        let own = [
            "COFFER_FAULT_DIRECTORY": directory, "COFFER_FAULT_CONTROL": path, "COFFER_FAULT_FIFO": path + ".fifo",
        ]
        return try Program.preloading("libFaultInjector.so").merging(own) { $1 }
    }

    /// From now on these calls fail; they are counted anew.
    func arm(_ fault: Fault) throws {
        var words = [UInt64(bits(fault.files)) | UInt64(bits(fault.calls)) << 32]
        words += [UInt64(fault.numbers.lowerBound), UInt64(fault.numbers.upperBound), UInt64(fault.oneIn), fault.seed]
        words += [UInt64(UInt32(fault.error)) | (fault.isTorn ? 1 << 32 : 0), 0, 0]
        // `first` last of all: until then nothing fails.
        try disarm()
        try write([words[0]], at: 0)
        try write(Array(words[2...]), at: 2)
        try write([words[1]], at: 1)
    }

    /// Nothing fails any more.
    func disarm() throws { try write([0], at: 1) }

    /// Lets a call go on that waits (``Fault/error`` 0); returns when it does. It is counted a moment before it waits.
    func release() throws {
        let end = ContinuousClock.now + .patience
        while true {
            do { return try Posix.File(path + ".fifo", O_WRONLY | O_NONBLOCK).close() } catch {
                guard error.code == ENXIO, ContinuousClock.now < end else { throw error }
            }
        }
    }

    /// How many calls have failed since the last ``arm(_:)``.
    func failed() throws -> Int { Int(try words(at: 7, 1)[0]) }

    /// How many calls of each kind there were since ``clearCounts()``.
    func count(_ file: FaultFile, _ call: FaultCall) throws -> Int {
        Int(try words(at: 8 + file.rawValue * FaultCall.allCases.count + call.rawValue, 1)[0])
    }

    func clearCounts() throws {
        try write([UInt64](repeating: 0, count: FaultFile.allCases.count * FaultCall.allCases.count), at: 8)
    }

    private func bits<T: RawRepresentable<Int>>(_ kinds: Set<T>) -> UInt32 {
        kinds.reduce(0) { $0 | 1 << UInt32($1.rawValue) }
    }

    private func words(at index: Int, _ count: Int) throws -> [UInt64] {
        let bytes = try file.read(count * 8, at: index * 8)
        return (0..<count).map { word in
            bytes[(word * 8)..<(word * 8 + 8)].reversed().reduce(0) { $0 << 8 | UInt64($1) }
        }
    }

    private func write(_ words: [UInt64], at index: Int) throws {
        let bytes = words.flatMap { word in (0..<8).map { UInt8(truncatingIfNeeded: word >> ($0 * 8)) } }
        guard lseek(file.number, index * 8, SEEK_SET) == index * 8 else { throw SystemFailure("lseek \(path)") }
        try file.write(bytes)
    }
}
