import Foundation
import TestSupport
import Testing

/// The repository as the tests of its structure see it.
enum House {
    static let root = URL(filePath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent()
        .deletingLastPathComponent().path(percentEncoded: false)
        .trimmingSuffix("/")

    /// DESIGN's table. A thin module over a system library is floor 0.
    static let floors: [String: Int] = [
        "Kernels": 0, "CKernels": 0, "CZlib": 0, "CSQLite": 0, "CPosix": 0, "CTLS": 0,
        "CLogFile": 1,
        "COpenBLAS": 0, "JSONText": 0,
        // Other programs run beside a test or a benchmark.
        "TestSupport": 0,
        // Metadata to verify, made for tests and benchmarks.
        "RepositorySamples": 4,
        "Forecasting": 1, "SyncProtocol": 1, "UpdateTrust": 1,
        "ModelPackage": 2,
        "AgentCore": 3, "HubCore": 3, "Training": 3,
        "AgentRuntime": 4, "Compression": 4, "HubStore": 4, "ModelExchange": 4,
        "Watching": 4, "SimulatedDemand": 5, "Alerting": 5,
        "shelfcast-agent": 5, "HubSync": 5, "HubWeb": 5, "Autopilot": 5,
        "CompressionCost": 5,
        "shelfcast-hub": 6, "shelfcast-bench": 6, "fleet-load": 6,
    ]

    /// Why a device's code may not import a module.
    static let banned: [String: String] = [
        "Foundation": "50 MB with ICU, and Embedded Swift has none of it",
        "FoundationEssentials": "7 MB, and Embedded Swift has none of it",
        "Glibc": "not there in Embedded Swift: go through CPosix",
        "Dispatch": "threads: the agent has one",
        "GRDB": "67 MB linked: the agent talks to SQLite through CSQLite",
        "NIO": "12 MB resident: the agent has one poll loop",
        "NIOCore": "12 MB resident: the agent has one poll loop",
        "NIOPosix": "12 MB resident: the agent has one poll loop",
        "NIOSSL": "the agent speaks TLS through CTLS",
        "Crypto": "10 MB: the agent verifies through CTLS",
        "X509": "the agent verifies through CTLS",
        "ArgumentParser": "8 MB: the agent parses its own arguments",
        "Synchronization": "one thread needs no lock",
    ]

    struct Manifest: Decodable {
        struct Target: Decodable {
            struct Dependency: Decodable {
                var byName: [String?]?
                var target: [String?]?
                var product: [String?]?

                enum Key: String, CodingKey { case byName, target, product }
                init(from decoder: any Decoder) throws {
                    let container = try decoder.container(keyedBy: Key.self)
                    byName = Self.name(.byName, in: container)
                    target = Self.name(.target, in: container)
                    product = Self.name(.product, in: container)
                }
                /// The first element is the name; the others are conditions we do not read.
                static func name(_ key: Key, in container: KeyedDecodingContainer<Key>)
                    -> [String?]?
                {
                    guard var list = try? container.nestedUnkeyedContainer(forKey: key),
                        let name = try? list.decode(String.self)
                    else { return nil }  // this dependency is of another kind
                    return [name]
                }
                var name: String { (byName ?? target ?? product)?.first.flatMap { $0 } ?? "" }
            }
            var name: String
            var type: String
            var path: String?
            var dependencies: [Dependency]

            func ours(in manifest: Manifest) -> [String] {
                dependencies.map(\.name).filter { name in
                    manifest.targets.contains { $0.name == name }
                }
            }
            func elsewhere(in manifest: Manifest) -> [String] {
                dependencies.map(\.name).filter { name in
                    !manifest.targets.contains { $0.name == name }
                }
            }
        }
        var targets: [Target]
    }

    /// The manifest as SwiftPM reads it, in its own scratch folder: the one in use is locked while tests run.
    static func manifest() throws -> Manifest {
        let scratch =
            NSTemporaryDirectory() + "shelfcast-house-\(ProcessInfo.processInfo.processIdentifier)"
        defer { try? FileManager.default.removeItem(atPath: scratch) }  // a leftover harms nobody
        let process = try ChildProcess(
            "/usr/bin/env",
            [
                "swift", "package", "--package-path", root, "--scratch-path", scratch,
                "dump-package",
            ])
        let end = process.wait()
        let complaint = try process.errors()
        try #require(end.status == 0, "swift package dump-package failed: \(complaint)")
        let json = Data(try process.output().utf8)
        return try JSONDecoder().decode(Manifest.self, from: json)
    }

    /// Paths from the root, sorted.
    static func swiftFiles(under folders: [String]) throws -> [String] {
        var files: [String] = []
        for folder in folders {
            let base = root + "/" + folder
            guard let walk = FileManager.default.enumerator(atPath: base) else { continue }
            for case let path as String in walk where path.hasSuffix(".swift") {
                files.append(folder + "/" + path)
            }
        }
        return files.sorted()
    }

    static func imports(of file: String) throws -> [String] {
        let text = try String(contentsOfFile: root + "/" + file, encoding: .utf8)
        return text.split(separator: "\n").compactMap { line in
            let words = line.split(separator: " ")
            guard let at = words.firstIndex(of: "import"), at <= 3,
                words[..<at].allSatisfy({
                    $0.hasPrefix("@")
                        || ["package", "public", "internal", "private", "fileprivate"].contains($0)
                }),
                at + 1 < words.count
            else { return nil }
            return String(words[at + 1])
        }
    }
}

extension String {
    fileprivate func trimmingSuffix(_ suffix: String) -> String {
        hasSuffix(suffix) ? String(dropLast(suffix.count)) : self
    }
}
