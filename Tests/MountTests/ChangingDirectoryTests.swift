import Foundation
import TestSupport
import Testing

/// Directories that change while they are read.
@Suite struct ChangingDirectoryTests {
    /// An open directory, read name by name.
    @safe
    private final class Listing {
        private let stream: OpaquePointer

        init(_ path: String) throws {
            guard let stream = unsafe opendir(path) else { throw SystemFailure("opendir \(path)") }
            unsafe self.stream = stream
        }

        deinit { unsafe _ = closedir(stream) }

        /// The next name but `.` and `..`; nil at the end.
        func next() -> String? {
            while let entry = unsafe readdir(stream) {
                let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                    unsafe pointer.withMemoryRebound(to: CChar.self, capacity: 256) { unsafe String(cString: $0) }
                }
                if name != ".", name != ".." { return name }
            }
            return nil
        }

        func rest() -> [String] {
            var names: [String] = []
            while let name = next() { names.append(name) }
            return names
        }

        func rewind() { unsafe rewinddir(stream) }
    }

    /// What happens to each name as it is met.
    enum Change: CaseIterable {
        case renamed, movedAway, madeAnew, swapped

        func make(_ name: String, _ vault: TestVault) throws {
            let (path, other) = (vault.path("folder/\(name)"), vault.path("folder/T"))
            switch self {
            case .renamed:
                try Posix.check(unsafe rename(path, other), "rename")
                try Posix.check(unsafe rename(other, path), "rename")
            case .movedAway:
                try Posix.check(unsafe rename(path, vault.path("away/\(name)")), "rename")
                try Posix.check(unsafe rename(vault.path("away/\(name)"), path), "rename")
            case .madeAnew:
                try Posix.check(unsafe unlink(path), "unlink")
                try Posix.write([], to: path)
            case .swapped:
                try Posix.write([], to: other)
                try Posix.check(LateCalls.rename(other, path, flags: 2), "exchange")
                try Posix.check(unsafe unlink(other), "unlink")
            }
        }
    }

    private func withFolder(of count: Int, _ body: (TestVault, Listing) throws -> Void) throws {
        try TestVault.with { vault in
            try vault.mount()
            for folder in ["folder", "away"] { try Posix.check(unsafe mkdir(vault.path(folder), 0o755), "mkdir") }
            for index in 0..<count { try vault.write("", to: "folder/\(index)") }
            try body(vault, Listing(vault.path("folder")))
            try vault.lock()
        }
    }

    @Test(arguments: Change.allCases) func endsWhereEachNameIsChangedAsItIsMet(_ change: Change) throws {
        try withFolder(of: 2000) { vault, listing in
            var seen: [String: Int] = [:]
            var count = 0
            while count < 10_000, let name = listing.next() {
                count += 1
                guard name != "T" else { continue }
                seen[name, default: 0] += 1
                try change.make(name, vault)
            }
            #expect(count < 10_000, "it does not end")
            #expect(seen.count == 2000 && seen.values.allSatisfy { $0 == 1 })
            listing.rewind()
            #expect(Set(listing.rest()).count == 2000)
        }
    }

    @Test func rewoundShowsWhatHasComeMeanwhile() throws {
        try withFolder(of: 2000) { vault, listing in
            let first = listing.next()
            try vault.write("", to: "folder/new")
            #expect(Set(listing.rest() + [first ?? ""]).isSuperset(of: (0..<2000).map(String.init)))
            listing.rewind()
            #expect(listing.rest().count == 2001)
        }
    }

    /// The kernel keeps a listing for everybody once one program has read it to its end. One that was begun later does not
    /// go on in it.
    @Test func oneListingDoesNotCutAnotherShort() throws {
        try withFolder(of: 3000) { vault, earlier in
            _ = earlier.next()
            try vault.write("", to: "folder/new")
            let later = try Listing(vault.path("folder"))
            let first = later.next()
            #expect(earlier.rest().count >= 2999)
            let names = later.rest() + [first ?? ""]
            #expect(names.count == 3001 && Set(names).count == 3001 && names.contains("new"))
        }
    }
}
