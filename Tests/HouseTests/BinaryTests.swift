import Foundation
import TestSupport
import Testing

/// What the program is made with, so that a bug in it is worth less, and what it is made without: a switch that turns a
/// check off.
@Suite struct BinaryTests {
    private func text(_ path: String) throws -> String {
        try String(contentsOfFile: "\(Program.root)/\(path)", encoding: .utf8)
    }

    private func readelf(_ options: String...) throws -> String {
        try Command("readelf", options + ["-W", try Program.coffer()]).run(expecting: 0).text
    }

    // MARK: Linking

    /// What cannot be written to cannot be made to point elsewhere (full RELRO).
    @Test func tablesOfAddressesAreReadOnly() throws {
        #expect(try readelf("-l").contains("GNU_RELRO"))
        #expect(try readelf("-d").contains("BIND_NOW"))
    }

    @Test func addressesAreRandomAndNoStackRuns() throws {
        #expect(try readelf("-h").contains(#/Type: +DYN/#))
        let stack = try readelf("-l").split(separator: "\n").first { $0.contains("GNU_STACK") }
        #expect(try #require(stack).contains(#/ RW +0x/#))
    }

    /// In the functions that the compiler makes of C headers.
    @Test(arguments: ["coffer_fuse_two_processors", "coffer_identify"]) func arraysOfCAreGuarded(_ name: String) throws
    {
        let words = ["--disassemble=\(name)", "--no-show-raw-insn", try Program.coffer()]
        let code = try Command("objdump", words).run(expecting: 0).text
        #expect(code.contains("<\(name)>:"), "it is a function")
        #expect(code.contains("__stack_chk_fail"))
    }

    /// Who builds it for use needs no toolchain to run it, and what lies beside it is not loaded.
    @Test(arguments: ["Mount/quickstart", "Mount/install"]) func whatIsBuiltForUseStandsAlone(_ path: String) throws {
        #expect(try text(path).contains("-c release --static-swift-stdlib --disable-local-rpath"))
    }

    /// The debug build is one that needs the toolchain.
    @Test func quickstartLooksAtWhatItHasBuilt() throws {
        let script = try text("Mount/quickstart")
        let start = try #require(script.range(of: "\ncheck_program() {"))
        let end = try #require(script.range(of: "\n}\n", range: start.lowerBound..<script.endIndex))
        let check = "stop() { echo \"$*\"; exit 1; }\(script[start.lowerBound..<end.upperBound])check_program \"$1\""
        let result = try Command("bash", ["-euo", "pipefail", "-c", check, "bash", try Program.coffer()]).run(
            expecting: 1)
        #expect(result.text.contains("needs the toolchain"))
    }

    /// Another version would be code that nobody has looked at.
    @Test func versionsOfDependenciesAreExact() throws {
        let packages = try text("Package.swift").split(separator: "\n").filter { $0.contains(".package(") }
        #expect(!packages.isEmpty)
        for package in packages { #expect(package.contains(#/, exact: "\d+\.\d+\.\d+"\)/#), "\(package)") }
    }

    // MARK: Switches

    private static let rules = "Sources/Sync/Engine/ProtocolRules.swift"

    /// Whether code that takes a rule away compiles.
    private func canBeTakenAway(_ rule: String, _ words: [String]) throws -> Bool {
        let home = try TemporaryHome()
        let taking = try home.write(
            "func take(_ rules: inout ProtocolRules) { rules.\(rule) = false }\n", to: "take.swift")
        var command = Command("swiftc", words + ["-typecheck", "\(Program.root)/\(Self.rules)", taking])
        command.environment = ProcessInfo.processInfo.environment
        return try command.run().code == 0
    }

    /// The rules of synchronisation can be taken away in the builds that the tests are made of, and in no other.
    @Test func theProgramThatPeopleRunHasNoSwitches() throws {
        #expect(try canBeTakenAway("checksSignature", ["-DDEBUG"]))
        #expect(try !canBeTakenAway("checksSignature", []))
        let stored = try text(Self.rules).matches(of: #/(?m)^    public var (\w+)/#)
        #expect(stored.isEmpty, "each is a rule: what is stored can be set")
    }

    /// No other code differs between the two.
    @Test func debugBuildsDifferInNothingElse() {
        for file in SourceFile.product where file.code.contains("#if") {
            #expect(file.path == Self.rules, "\(file): code that is not in every build")
        }
    }
}
