import CompressionCost
import Crypto
import HubCore
import HubStore
import HubSync
import Logging
import ModelPackage
import ServiceLifecycle

extension UncompressedReplay {
    /// With the package files of a data directory.
    init(_ hub: any HubStore, dataDirectory: String) {
        let files = PackageFiles(dataDirectory: dataDirectory)
        self.init(hub) { digest in
            guard
                let content = files.read(
                    digest: digest, offset: 0, bytesMax: ModelPackage.fileBytesMax + 1),
                [UInt8](SHA256.hash(data: content)) == digest
            else { return nil }
            return content
        }
    }

    /// Turns in a row that may find something changed, before it is left to a quieter hour.
    private static let disturbancesMax = 100

    /// Replays all that waits.
    /// - Returns: how many forecasts.
    /// - Throws: `CommandFailure` when devices send up faster than that.
    func finish() async throws -> Int {
        var (count, disturbances) = (0, 0)
        while true {
            switch try await turn() {
            case .nothing: return count
            case .done(let forecasts): (count, disturbances) = (count + forecasts, 0)
            case .changedMeanwhile:
                disturbances += 1
                guard disturbances < Self.disturbancesMax else {
                    throw CommandFailure(
                        .busy, "devices send up faster than forecasts are replayed; try again")
                }
            }
        }
    }
}

/// Replays what waits while the hub serves, a turn at a time, and rests at least as long as it worked.
struct ReplayService: Service {
    let replay: UncompressedReplay
    let logger: Logger

    private static let lookEvery = Duration.seconds(15)

    func run() async throws {
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                let pause = await turn()
                // Cancelled: the hub ends, and with it this.
                try? await Task.sleep(for: pause)
            }
        }
    }

    /// Nothing that goes wrong here may end the hub.
    private func turn() async -> Duration {
        let started = ContinuousClock.now
        do {
            switch try await replay.turn() {
            case .nothing: return Self.lookEvery
            case .done, .changedMeanwhile:
                return min(max(ContinuousClock.now - started, .milliseconds(20)), Self.lookEvery)
            }
        } catch {
            // A hub that ends cuts off what it was reading.
            guard !Task.isCancelled else { return Self.lookEvery }
            logger.warning(
                "replaying by uncompressed networks: \(CommandFailure(error).message)",
                metadata: ["next look": "\(Self.lookEvery)"])
            return Self.lookEvery
        }
    }
}
