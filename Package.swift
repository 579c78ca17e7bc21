// swift-tools-version: 6.2
// The house, floor by floor. Docs/architecture.md says who may import whom; Tests/HouseTests checks it.
//
//   SHELFCAST_EMBEDDED=1    only what a device runs, compiled as Embedded Swift (`make agent` sets it)
//   SHELFCAST_STATIC=1      that, with the C library in it (`make agent-static`); =fixed where the C library has no
//                           startup file for such a program at any address
//   SHELFCAST_SCOPE=light   leaves out every target that needs a package from elsewhere: the numerics
//                           and the agent then build and test in a minute
import PackageDescription

let embedded = Context.environment["SHELFCAST_EMBEDDED"] == "1"
let staticLink = Context.environment["SHELFCAST_STATIC"]
let light = embedded || Context.environment["SHELFCAST_SCOPE"] == "light"
/// SQLite and mbedTLS 3.6 as `make setup` builds them for the agent.
let sysroot = Context.environment["SHELFCAST_SYSROOT"] ?? Context.packageDirectory + "/.sysroot"

let strict: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
]
/// What the agent links: the same sources, ordinary or Embedded.
let device: [SwiftSetting] =
    strict
    + (embedded
        ? [
            .enableExperimentalFeature("Embedded"),
            // A section a function, so that the linker drops what the agent does not call.
            // The ordinary build looks for two accesses to one variable at a time.
            .unsafeFlags([
                "-wmo", "-Xfrontend", "-function-sections", "-enforce-exclusivity=unchecked",
            ]),
        ] : [])
/// Small before fast, where a device does little of it: everything but the numerics.
let small: [SwiftSetting] = embedded ? [.unsafeFlags(["-Osize"])] : []
/// The shipped agent carries SQLite and zlib in itself, and keeps only what it calls. Linked statically it carries the C
/// library too.
let shipped: [LinkerSetting] = [
    .unsafeFlags(
        [
            "-Xlinker", "--gc-sections", "-Xlinker", "--as-needed",
            "\(sysroot)/usr/lib/libsqlite3.a", "-Xlinker", "-l:libz.a",
        ]
            + (staticLink.map { how in
                [
                    "-Xclang-linker", how == "fixed" ? "-static" : "-static-pie",
                    "-Xclang-linker", "-fuse-ld=lld",
                ]
            } ?? []))
]
/// Numeric code crawls without the optimiser, so it is on in debug builds too.
let numeric: [SwiftSetting] = [.unsafeFlags(["-O"])]
/// What a forecast passes through allocates nothing; without the optimiser it would.
let exact = embedded ? small : numeric

/// Sources/, Protocol/ and Agent/: what a device runs. No package from elsewhere.
var targets: [Target] = [
    .target(name: "Kernels", path: "Sources/Kernels", swiftSettings: device + numeric),
    // Without the optimiser every vector would go through memory.
    .target(
        name: "CKernels", path: "Sources/CKernels", cSettings: [.unsafeFlags(["-O3"])]),
    .systemLibrary(name: "CZlib", path: "Sources/CZlib"),
    .target(
        name: "Forecasting", dependencies: ["Kernels", "CKernels"], path: "Sources/Forecasting",
        exclude: ["INTEGER.md"],
        swiftSettings: device + numeric,
        // A debug build calls sqrt instead of its instruction.
        linkerSettings: embedded ? [] : [.linkedLibrary("m")]),
    .target(name: "JSONText", path: "Sources/JSONText", swiftSettings: device + small),
    .target(
        name: "SyncProtocol", path: "Protocol", exclude: ["SPEC.md", "sync.proto"],
        sources: ["SyncProtocol"], swiftSettings: device + small),
    .target(
        name: "UpdateTrust", dependencies: ["JSONText"], path: "Sources/UpdateTrust",
        swiftSettings: device + small),
    .target(
        name: "ModelPackage", dependencies: ["Forecasting", "Kernels", "CZlib"],
        path: "Sources/ModelPackage", exclude: ["FORMAT.md"], swiftSettings: device + exact),
    .target(
        name: "AgentCore",
        dependencies: ["Forecasting", "JSONText", "SyncProtocol", "UpdateTrust", "ModelPackage"],
        path: "Agent/AgentCore", swiftSettings: device + small),
    .systemLibrary(name: "CSQLite", path: "Agent/CSQLite"),
    .target(name: "CLogFile", dependencies: ["CSQLite"], path: "Agent/CLogFile"),
    .target(
        name: "CPosix", path: "Agent/CPosix",
        cSettings: embedded ? [.define("SHELFCAST_EMBEDDED")] : []),
    .target(
        name: "CTLS", path: "Agent/CTLS",
        cSettings: [.unsafeFlags(["-I\(sysroot)/usr/include"])],
        linkerSettings: [.unsafeFlags(["\(sysroot)/usr/lib/libmbedtls.a"])]),
    .target(
        name: "AgentRuntime",
        dependencies: [
            "AgentCore", "Forecasting", "JSONText", "ModelPackage", "SyncProtocol", "UpdateTrust",
            "CSQLite", "CLogFile", "CTLS", "CPosix",
        ],
        path: "Agent/AgentRuntime", swiftSettings: device + small),
    .executableTarget(
        name: "shelfcast-agent",
        dependencies: ["AgentRuntime", "AgentCore", "Forecasting", "JSONText", "CPosix"],
        path: "Agent/shelfcast-agent", swiftSettings: device + small,
        linkerSettings: embedded ? shipped : []),
]
var products: [Product] = [.executable(name: "shelfcast-agent", targets: ["shelfcast-agent"])]
var dependencies: [Package.Dependency] = []

func tests(_ name: String, _ dependencies: [Target.Dependency], resources: [Resource] = [])
    -> Target
{
    .testTarget(
        name: name, dependencies: dependencies, path: "Tests/\(name)", resources: resources,
        swiftSettings: strict)
}

if !embedded {
    // Hub: what needs no package from elsewhere.
    targets += [
        .systemLibrary(name: "COpenBLAS", path: "Hub/COpenBLAS", pkgConfig: "openblas"),
        .target(
            name: "HubCore",
            dependencies: [
                "Forecasting", "JSONText", "SyncProtocol", "UpdateTrust", "ModelPackage",
            ],
            path: "Hub/HubCore", swiftSettings: strict + numeric),
        .target(
            name: "Watching", dependencies: ["HubCore", "Forecasting"], path: "Hub/Watching",
            swiftSettings: strict + numeric),
        .target(
            name: "Training", dependencies: ["Forecasting", "Kernels", "COpenBLAS"],
            path: "Hub/Training",
            swiftSettings: strict + numeric),
        .target(
            name: "Compression",
            dependencies: ["Training", "Forecasting", "ModelPackage", "Kernels"],
            path: "Hub/Compression", swiftSettings: strict + numeric),
        .target(
            name: "ModelExchange", dependencies: ["Training", "Forecasting", "SyncProtocol"],
            path: "Hub/ModelExchange", swiftSettings: strict + numeric),
        .target(
            name: "Autopilot",
            dependencies: ["Compression", "Training", "Forecasting", "ModelPackage", "HubCore"],
            path: "Hub/Autopilot", swiftSettings: strict + numeric),
        .executableTarget(
            name: "shelfcast-bench",
            dependencies: [
                "Compression", "ModelPackage", "Training", "Forecasting", "CZlib", "HubCore",
                "TestSupport", "RepositorySamples", "AgentRuntime", "SyncProtocol", "UpdateTrust",
                "SimulatedDemand",
            ] + (light ? [] : ["HubStore", "CompressionCost"]),
            path: "Benchmarks/shelfcast-bench", exclude: light ? ["ReportGroup.swift"] : [],
            swiftSettings: strict + (light ? [] : [.define("WITH_HUB_STORE")])),
        .target(name: "CSpawn", path: "Tests/CSpawn"),
        // Stands between SQLite and its files in the tests that ask for it.
        .target(
            name: "CFailingDisk", dependencies: ["CSQLite", "CLogFile"], path: "Tests/CFailingDisk"),
        .target(
            name: "TestSupport", dependencies: ["CSpawn"], path: "Tests/TestSupport",
            swiftSettings: strict),
        .target(
            name: "PackageSamples", dependencies: ["TestSupport", "ModelPackage", "Forecasting"],
            path: "Tests/PackageSamples", swiftSettings: strict),
        .target(
            name: "RepositorySamples", dependencies: ["AgentRuntime", "SyncProtocol", "CTLS"],
            path: "Tests/RepositorySamples", swiftSettings: strict),
        // Takes the place of the system's malloc in the program that links it.
        .target(
            name: "CAllocations", path: "Tests/CAllocations",
            cSettings: [.unsafeFlags(["-O2", "-fno-builtin"])]),
        .executableTarget(
            name: "engine-check",
            dependencies: ["PackageSamples", "ModelPackage", "Forecasting", "CAllocations"],
            path: "Tests/EngineCheck", swiftSettings: strict + exact),
        .executableTarget(
            name: "package-fuzzer",
            dependencies: [
                "PackageSamples", "TestSupport", "ModelPackage", "Forecasting", "CZlib",
            ],
            path: "Tests/PackageFuzzer", swiftSettings: strict + exact),
        tests("ForecastingTests", ["Forecasting", "Kernels", "TestSupport"]),
        tests(
            "SyncProtocolTests", ["SyncProtocol", "TestSupport"], resources: [.copy("Fixtures")]),
        tests("JSONTextTests", ["JSONText"]),
        tests("UpdateTrustTests", ["UpdateTrust", "JSONText"]),
        tests(
            "ModelPackageTests",
            [
                "TestSupport", "PackageSamples", "ModelPackage", "Forecasting", "engine-check",
                "package-fuzzer",
            ]),
        tests(
            "AgentCoreTests",
            ["AgentCore", "Forecasting", "SyncProtocol", "UpdateTrust", "TestSupport"]),
        tests(
            "AgentRuntimeTests",
            [
                "AgentRuntime", "AgentCore", "JSONText", "SyncProtocol", "UpdateTrust",
                "ModelPackage", "Forecasting", "CTLS", "CPosix", "CLogFile", "CFailingDisk",
                "TestSupport", "RepositorySamples",
            ]),
        // Thousands of devices and their hub, without a clock, a socket or a disk.
        .target(
            name: "SimulatedFleet",
            dependencies: ["AgentCore", "HubCore", "Forecasting", "UpdateTrust"],
            path: "Tests/SimulatedFleet", swiftSettings: strict + numeric),
        tests("RolloutSimulation", ["SimulatedFleet"]),
        // Stores that sell by known laws, for the false alarms and the delay of what watches them.
        .target(
            name: "SimulatedDemand", dependencies: ["Watching", "HubCore", "Forecasting"],
            path: "Tests/SimulatedDemand", swiftSettings: strict + numeric),
        tests("WatchingTests", ["Watching", "SimulatedDemand", "HubCore", "Forecasting"]),
        tests(
            "HubCoreTests",
            ["HubCore", "Forecasting", "JSONText", "ModelPackage", "UpdateTrust", "TestSupport"]),
        tests("TrainingTests", ["Training", "Forecasting", "Kernels"]),
        tests(
            "CompressionTests",
            [
                "Compression", "Training", "Forecasting", "ModelPackage", "Kernels", "HubCore",
                "CZlib", "TestSupport",
            ]),
        tests(
            "AutopilotTests",
            ["Autopilot", "Compression", "Training", "Forecasting", "ModelPackage", "HubCore"]),
        tests(
            "ModelExchangeTests",
            ["ModelExchange", "Training", "Forecasting", "SyncProtocol", "TestSupport"],
            resources: [.copy("Fixtures")]),
    ]
}

if !light {
    dependencies += [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.6"),
        .package(url: "https://github.com/apple/swift-certificates", from: "1.21.1"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-asn1", from: "1.7.4"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
        // Without what it can do beyond HTTP: configuration files, all of Foundation.
        .package(
            url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1", traits: []),
        .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0", traits: []),
    ]
    products += [.executable(name: "shelfcast-hub", targets: ["shelfcast-hub"])]
    targets += [
        .target(
            name: "HubStore",
            dependencies: [
                "HubCore", "Forecasting", .product(name: "GRDB", package: "GRDB.swift"),
                .product(name: "GRDBSQLite", package: "GRDB.swift"),
            ],
            path: "Hub/HubStore", swiftSettings: strict),
        .target(
            name: "HubSync",
            dependencies: [
                "HubStore", "HubCore", "Forecasting", "ModelPackage", "SyncProtocol",
                "UpdateTrust",
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "NIOTLS", package: "swift-nio"),
                .product(name: "X509", package: "swift-certificates"),
                .product(name: "SwiftASN1", package: "swift-asn1"),
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            path: "Hub/HubSync", swiftSettings: strict),
        .target(
            name: "Alerting",
            dependencies: [
                "Watching", "HubStore", "HubCore", "Forecasting",
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            path: "Hub/Alerting", swiftSettings: strict),
        .target(
            name: "HubWeb",
            dependencies: [
                "HubStore", "HubCore", "Forecasting", "JSONText",
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "HummingbirdCore", package: "hummingbird"),
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "_CryptoExtras", package: "swift-crypto"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            path: "Hub/HubWeb",
            resources: [
                .embedInCode("Install/install.sh"), .embedInCode("Static/style.css"),
                .embedInCode("Static/live.js"),
            ],
            swiftSettings: strict),
        .target(
            name: "CompressionCost",
            dependencies: [
                "Compression", "Training", "HubStore", "HubCore", "ModelPackage", "Forecasting",
            ],
            path: "Hub/CompressionCost", swiftSettings: strict + numeric),
        .executableTarget(
            name: "shelfcast-hub",
            dependencies: [
                "HubSync", "HubWeb", "Alerting", "Watching", "HubStore", "HubCore", "Training",
                "Compression", "CompressionCost", "Autopilot", "ModelExchange",
                "CZlib",
                "Forecasting", "JSONText",
                "ModelPackage", "SyncProtocol",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
            ],
            path: "Hub/shelfcast-hub", swiftSettings: strict),
        tests(
            "CompressionCostTests",
            [
                "CompressionCost", "Compression", "Training", "HubStore", "HubCore",
                "ModelPackage", "Forecasting",
            ]),
        tests(
            "HubStoreTests",
            ["HubStore", "HubCore", "Forecasting", .product(name: "GRDB", package: "GRDB.swift")]),
        tests(
            "HubSyncTests",
            [
                "HubSync", "HubStore", "HubCore", "Forecasting", "ModelPackage", "SyncProtocol",
                "UpdateTrust",
                "TestSupport",
                .product(name: "GRDB", package: "GRDB.swift"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOEmbedded", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "X509", package: "swift-certificates"),
                .product(name: "SwiftASN1", package: "swift-asn1"),
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ]),
        tests(
            "AlertingTests",
            [
                "Alerting", "Watching", "SimulatedDemand", "HubStore", "HubCore", "Forecasting",
                "TestSupport", .product(name: "Logging", package: "swift-log"),
            ]),
        tests(
            "HubWebTests",
            [
                "HubWeb", "HubStore", "HubCore", "HubSync", "Forecasting", "TestSupport",
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ]),
        tests(
            "FleetSimulation",
            [
                "AgentRuntime", "AgentCore", "HubSync", "HubStore", "HubCore", "Forecasting",
                "SyncProtocol", "TestSupport",
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "Logging", package: "swift-log"),
            ]),
        // A whole fleet that comes back at once, over real sockets.
        .executableTarget(
            name: "fleet-load",
            dependencies: [
                "HubSync", "HubStore", "HubCore", "AgentCore", "Forecasting", "SyncProtocol",
                "TestSupport",
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "NIOTLS", package: "swift-nio"),
                .product(name: "X509", package: "swift-certificates"),
                .product(name: "SwiftASN1", package: "swift-asn1"),
                .product(name: "Crypto", package: "swift-crypto"),
            ],
            path: "Benchmarks/fleet-load", swiftSettings: strict),
        // The update client with the command line of the public conformance suite.
        .executableTarget(
            name: "shelfcast-tuf-client",
            dependencies: [
                "UpdateTrust", .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "_CryptoExtras", package: "swift-crypto"),
            ],
            path: "Tests/TrustConformance", exclude: ["conformance.py"], swiftSettings: strict),
        tests("HouseTests", ["TestSupport"]),
        tests("EndToEndTests", ["TestSupport"]),
    ]
}

let package = Package(
    name: "shelfcast", products: products, dependencies: dependencies, targets: targets)
