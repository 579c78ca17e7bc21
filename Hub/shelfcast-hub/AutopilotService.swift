import HubCore
import HubStore
import Logging
import ServiceLifecycle

/// Runs the autopilot by itself while the hub serves: follows what is on its way, and begins what is due in a process of
/// its own, so that devices are served meanwhile whatever training takes.
struct AutopilotService: Service {
    /// As the autopilot, in the audit log.
    let store: any HubStore
    let dataDirectory: String
    let logger: Logger

    private static let lookEvery = Duration.seconds(60)
    /// Beyond what a run allows itself before it is ended from outside.
    private static let graceMinutes = 5

    func run() async throws {
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                await look()
                // Cancelled: the hub ends, and with it this.
                try? await Task.sleep(for: Self.lookEvery)
            }
        }
    }

    /// Nothing that goes wrong here may end the hub.
    private func look() async {
        var hasBegun = false
        do {
            try await AutopilotUpkeep.settle(store, dataDirectory: dataDirectory)
            let settings = try await store.autopilotSettings()
            guard let cause = try await store.dueAutopilotCause(at: .now) else {
                return
            }
            logger.info("autopilot: a run begins", metadata: ["why": "\(cause.reason)"])
            hasBegun = true
            let status = try await BackgroundProcess.run(
                ["autopilot", "run", "--if-due", "--data", dataDirectory],
                secondsMax: 60 * (settings.minutesMax + Self.graceMinutes))
            logger.info("autopilot: the run has ended", metadata: ["status": "\(status)"])
        } catch is CancellationError {
            if hasBegun { logger.info("autopilot: its run was stopped; nothing of it is used") }
        } catch {
            // A hub that ends cuts off what it was reading.
            guard !Task.isCancelled else { return }
            logger.warning(
                "autopilot: \(CommandFailure(error).message)",
                metadata: ["next look": "\(Self.lookEvery)"])
        }
    }
}
