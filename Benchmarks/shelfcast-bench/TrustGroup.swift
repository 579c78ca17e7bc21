import AgentRuntime
import RepositorySamples
import SyncProtocol
import UpdateTrust

/// What it costs a device to believe a package: the walk over all of a repository's metadata, with the agent's own
/// cryptography, and the bytes that it takes over the wire, frame headers included. The repository lists the packages of
/// four releases in four sizes.
enum TrustGroup {
    private static let runs = 51

    static func run(_ report: inout BenchReport) throws {
        precondition(Crypto.setUp())
        var repository = SignedRepository()
        var path = ""
        for release in 1...4 as ClosedRange<UInt64> {
            for size in 1...4 {
                path = repository.list(
                    digest: Crypto.sha256([UInt8(release), UInt8(size)]), length: 300 << size,
                    arena: UInt64(500 << size), release: release, family: "2026-11-profile",
                    variant: "lstm-\(size)", store: "12")
            }
        }
        var microseconds: [Double] = []
        for _ in 0..<runs {
            let started = ContinuousClock.now
            let stated = try StatedPackage(try target(path, in: repository))
            microseconds.append((ContinuousClock.now - started) / .microseconds(1))
            precondition(stated.release == 4)
        }
        report.add("trust.verify.us", microseconds.sorted()[runs / 2], "µs")
        let held = HeldMetadata(root: 1, timestamp: 1, snapshot: 1, targets: 1)
        report.add(
            "trust.metadataBytes",
            Double(bytes(repository.metadata(newerThan: held, needsTargets: true))), "bytes")
        repository.rotate(.timestamp)
        repository.publish([.timestamp])
        let current = HeldMetadata(
            root: 1, timestamp: repository.versions[.timestamp]! - 1, wantsTimestamp: true)
        report.add(
            "trust.metadataBytes.rotation",
            Double(bytes(repository.metadata(newerThan: current, needsTargets: false))), "bytes")
        report.add(
            "trust.metadataBytes.timestamp",
            Double(encodeFrame(.metadata(repository.metadata(.timestamp))).count), "bytes")
    }

    private static func bytes(_ frames: [Metadata]) -> Int {
        frames.reduce(0) { $0 + encodeFrame(.metadata($1)).count }
    }

    /// A whole walk of a device that has kept nothing but root: one signature for each of four roles.
    private static func target(
        _ path: String, in repository: SignedRepository
    ) throws(MetadataError) -> TargetFile {
        var walk = try UpdateWalk(
            root: repository.root, now: 1_800_000_000, limits: .device,
            cryptography: DeviceVerifier())
        var step = try walk.next(nil)
        // The walk bounds its own steps.
        while true {
            switch step {
            case .read, .keep: step = try walk.next(nil)
            case .fetch(let request):
                switch request.role {
                case .timestamp: step = try walk.next(repository[.timestamp])
                case .snapshot: step = try walk.next(repository[.snapshot])
                case .targets: step = try walk.next(repository[.targets])
                case .root, .delegated: step = try walk.next(nil)
                }
            case .current: step = try walk.find([UInt8](path.utf8))
            case .found(let file): return file
            case .absent: throw .notFound(.targets)
            }
        }
    }
}
