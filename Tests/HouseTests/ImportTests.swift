import Testing

/// Layers: imports go strictly downwards. The build refuses a module that Package.swift does not declare for the
/// target; this table refuses what should not be declared.
@Suite struct ImportTests {
    /// Each module with all that it may import; the standard library's own modules are free to everyone.
    static let allowed: [String: Set<String>] = [
        "Sealing": ["CCrypto", "CSodium", "CUtf8proc", "CZxcvbn", "CLinux", "Foundation"],
        "Format": [],
        "Vault": ["Format", "Sealing", "GRDB", "GRDBSQLite", "SystemPackage", "CLinux", "Foundation", "Dispatch"],
        "Sync": ["Vault", "Format", "Sealing", "SystemPackage", "Foundation"],
        "Remotes": ["Sync", "CCurl", "CExpat", "CLinux", "SystemPackage", "Foundation", "Dispatch"],
        "KitImage": ["CPNG", "CQRencode", "CTurboJPEG", "CZbar"],
        "Fuse": ["CFuse", "SystemPackage", "Dispatch"],
        "VaultFileSystem": [
            "CProcess", "CSystemd", "Fuse", "Vault", "Format", "Sealing", "SystemPackage", "Logging", "CLinux",
            "Foundation", "Dispatch",
        ],
        "coffer": [
            "VaultFileSystem", "Fuse", "Vault", "Sync", "Remotes", "Format", "Sealing", "KitImage", "ArgumentParser",
            "SystemPackage", "Logging", "CLinux", "CProcess", "Foundation", "Dispatch",
        ],
    ]

    private static let free: Set<String> = ["Swift", "Glibc", "Synchronization", "Builtin"]

    @Test(arguments: SourceFile.product) func importsGoDownwards(_ file: SourceFile) throws {
        let allowed = try #require(
            Self.allowed[file.module], "\(file): the table of imports does not know the module \(file.module)")
        let statement =
            #/^\s*(?:@\w+(?:\([^)]*\))?\s+)*(?:\w+\s+)?import\s+(?:(?:struct|class|enum|func|protocol|var)\s+)?(\w+)/#
        for line in file.code.split(separator: "\n") {
            guard let name = line.firstMatch(of: statement)?.1 else { continue }
            #expect(
                allowed.contains(String(name)) || Self.free.contains(String(name)),
                "\(file): \(file.module) may not import \(name)")
        }
    }

    /// One C library has one module; only the layer that owns it sees it.
    @Test func noModuleOfTheProductImportsTests() {
        for file in SourceFile.product where file.code.contains(#/import\s+(Testing|XCTest|TestSupport)\b/#) {
            Issue.record("\(file): the product imports no test")
        }
    }
}
