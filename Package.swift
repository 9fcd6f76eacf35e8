// swift-tools-version: 6.2
import PackageDescription

/// One list of settings for every target: what the compiler can forbid, no reviewer has to find.
let strict: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .strictMemorySafety(),
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableExperimentalFeature("Lifetimes"),
    // Records are encoded and decoded through generics of other modules: without this each integer is a call
    // through a witness table (measured: 10 to 30 % of a create, rename or unlink).
    .unsafeFlags(["-cross-module-optimization"], .when(configuration: .release)),
    // Functions of C headers that hold arrays are guarded against writing past their end. _FORTIFY_SOURCE is not to be had
    // for headers that Swift imports: what glibc inlines then differs between modules, an error (`realpath`, seen); nor
    // does any of these functions give an array to a call that it would check.
    .unsafeFlags(["-Xcc", "-fstack-protector-strong"]),
]

/// The program's tables of addresses are filled when it starts and cannot be written to then (full RELRO), and no stack
/// can be executed. A position-independent program is the toolchain's default.
let readOnly: [LinkerSetting] = [
    .unsafeFlags(["relro", "now", "noexecstack"].flatMap { ["-Xlinker", "-z", "-Xlinker", $0] })
]

/// What the tests spend their time in is optimised in their runs, too: the simulation of synchronisation, ten thousand
/// times in each, the sequences of operations on a vault, the model test, which makes and checks contents, listings of
/// remotes without end, and what the house's own tests look for in all sources.
let optimized = strict + [.unsafeFlags(["-O"], .when(configuration: .debug))]

let argumentParser = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")
let grdb = Target.Dependency.product(name: "GRDB", package: "GRDB.swift")
let sqlite = Target.Dependency.product(name: "GRDBSQLite", package: "GRDB.swift")
let system = Target.Dependency.product(name: "SystemPackage", package: "swift-system")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")

/// A C library of the system, found by pkg-config and installed by apt.
func library(_ name: String, path: String, pkgConfig: String, apt: String) -> Target {
    .systemLibrary(name: name, path: path, pkgConfig: pkgConfig, providers: [.apt([apt])])
}

/// A layer of the product. Dependencies point strictly downwards; `Tests/run` builds with
/// `--explicit-target-dependency-import-check error`, so an undeclared import does not compile.
func layer(
    _ name: String, path: String? = nil, _ dependencies: [Target.Dependency], settings: [SwiftSetting] = strict
) -> Target {
    .target(name: name, dependencies: dependencies, path: path ?? "Sources/\(name)", swiftSettings: settings)
}

func tests(
    _ name: String, _ dependencies: [Target.Dependency], resources: [Resource] = [], settings: [SwiftSetting] = strict
) -> Target {
    .testTarget(
        name: name, dependencies: dependencies, path: "Tests/\(name)", resources: resources, swiftSettings: settings)
}

let package = Package(
    name: "coffer",
    products: [
        .executable(name: "coffer", targets: ["coffer"]),
        // Loaded into the program by tests.
        .library(name: "PowerRecorder", type: .dynamic, targets: ["PowerRecorder"]),
        .library(name: "FaultInjector", type: .dynamic, targets: ["FaultInjector"]),
        .library(name: "CipherEngine", type: .dynamic, targets: ["CipherEngine"]),
        .library(name: "Intruder", type: .dynamic, targets: ["Intruder"]),
        .library(name: "QuickKDF", type: .dynamic, targets: ["QuickKDF"]),
    ],
    // Each version exactly: what is built is what was read.
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", exact: "1.8.2"),
        .package(url: "https://github.com/apple/swift-log", exact: "1.16.2"),
        .package(url: "https://github.com/apple/swift-system", exact: "1.8.1"),
        .package(url: "https://github.com/groue/GRDB.swift", exact: "7.10.0"),
    ],
    targets: [
        .systemLibrary(name: "CLinux", path: "Sources/CLinux"),
        library("CSodium", path: "Sources/CSodium", pkgConfig: "libsodium", apt: "libsodium-dev"),
        library("CCrypto", path: "Sources/CCrypto", pkgConfig: "libcrypto", apt: "libssl-dev"),
        // Without pkg-config, whose -DUTF8PROC_EXPORTS SwiftPM would warn about; only Windows needs it.
        .systemLibrary(name: "CZxcvbn", path: "Sources/CZxcvbn", providers: [.apt(["libzxcvbn-dev"])]),
        .systemLibrary(name: "CUtf8proc", path: "Sources/CUtf8proc", providers: [.apt(["libutf8proc-dev"])]),
        library("CQRencode", path: "Sources/CQRencode", pkgConfig: "libqrencode", apt: "libqrencode-dev"),
        library("CZbar", path: "Sources/CZbar", pkgConfig: "zbar", apt: "libzbar-dev"),
        library("CPNG", path: "Sources/CPNG", pkgConfig: "libpng", apt: "libpng-dev"),
        library("CTurboJPEG", path: "Sources/CTurboJPEG", pkgConfig: "libturbojpeg", apt: "libturbojpeg0-dev"),
        library("CCurl", path: "Sources/CCurl", pkgConfig: "libcurl", apt: "libcurl4-openssl-dev"),
        library("CExpat", path: "Sources/CExpat", pkgConfig: "expat", apt: "libexpat1-dev"),
        .systemLibrary(name: "CProcess", path: "Mount/CProcess"),
        library("CFuse", path: "Mount/CFuse", pkgConfig: "fuse3", apt: "libfuse3-dev"),
        library("CSystemd", path: "Mount/CSystemd", pkgConfig: "libsystemd", apt: "libsystemd-dev"),

        layer("Sealing", ["CCrypto", "CLinux", "CSodium", "CUtf8proc", "CZxcvbn"], settings: optimized),
        layer("Format", [], settings: optimized),
        layer("Vault", ["CLinux", "Format", "Sealing", grdb, sqlite, system], settings: optimized),
        layer("Sync", ["Vault", "Format", "Sealing", system], settings: optimized),
        layer("Remotes", ["CCurl", "CExpat", "CLinux", "Sync", system], settings: optimized),
        layer("KitImage", ["CPNG", "CQRencode", "CTurboJPEG", "CZbar"]),
        layer("Fuse", path: "Mount/Fuse", ["CFuse", system]),
        layer(
            "VaultFileSystem", path: "Mount/VaultFileSystem",
            ["CLinux", "CProcess", "CSystemd", "Fuse", "Vault", "Format", "Sealing", system, logging]),
        .executableTarget(
            name: "coffer",
            dependencies: [
                "CLinux", "CProcess", "VaultFileSystem", "Fuse", "Vault", "Sync", "Remotes", "Format", "Sealing",
                "KitImage",
                argumentParser, system, logging,
            ],
            path: "Sources/coffer", swiftSettings: strict, linkerSettings: readOnly),

        .executableTarget(name: "Benchmark", dependencies: [], path: "Tests/Benchmark", swiftSettings: strict),
        .target(name: "PowerRecorder", path: "Tests/PowerRecorder"),
        .target(name: "FaultInjector", path: "Tests/FaultInjector"),
        .target(name: "CipherEngine", path: "Tests/CipherEngine", linkerSettings: [.linkedLibrary("crypto")]),
        .target(name: "Intruder", path: "Tests/Intruder"),
        .target(name: "QuickKDF", path: "Tests/QuickKDF"),
        .target(name: "TestSupport", dependencies: ["QuickKDF"], path: "Tests/TestSupport", swiftSettings: strict),
        tests("SealingTests", ["CSodium", "Sealing", "TestSupport"]),
        tests("FormatTests", ["Format"]),
        tests("VaultTests", ["Vault", "Format", "Sealing", "TestSupport", system], settings: optimized),
        tests("SyncTests", ["Sync", "Format", "Sealing", "Vault", "TestSupport", system], settings: optimized),
        tests("RemotesTests", ["Remotes", "Sync", "TestSupport"]),
        tests("KitImageTests", ["KitImage", "TestSupport"]),
        tests("FuseTests", ["Fuse", "CFuse", "TestSupport", system]),
        tests("MountTests", ["CSystemd", "Format", "Sealing", "Vault", "TestSupport", system], settings: optimized),
        tests("CommandTests", ["TestSupport"], resources: [.copy("Sync/Recorded")]),
        tests("HouseTests", ["TestSupport"], settings: optimized),
    ]
)
