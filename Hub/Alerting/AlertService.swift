package import HubCore
package import HubStore
package import Logging
import ServiceLifecycle
import Watching

/// Watches and sends as long as the hub serves.
package struct AlertService: Service {
    package struct Limits: Sendable {
        /// When something changed, a look this long after the last one.
        package var lookSeconds: Int64 = 60
        /// And one in so many of them in any case.
        package var looksPerChange: Int64 = 5
        /// How often the outbox is looked into.
        package var sendMilliseconds: Int64 = 2_000

        package init() {}
    }

    private let store: any HubStore
    private let watcher: AlertWatcher
    private let deliverer: AlertDeliverer
    private let limits: Limits
    private let logger: Logger
    private let now: @Sendable () -> Timestamp

    package init(
        store: any HubStore, limits: Limits = Limits(), sending: SendLimits = SendLimits(),
        logger: Logger, now: @escaping @Sendable () -> Timestamp
    ) {
        self.store = store
        self.limits = limits
        self.logger = logger
        self.now = now
        var policy = AlertPolicy()
        // Ten looks' time for others to turn out to have the same.
        policy.gatherSeconds = limits.lookSeconds * 10
        watcher = AlertWatcher(store: store, listeningSince: now(), policy: policy)
        deliverer = AlertDeliverer(store: store, limits: sending)
    }

    package func run() async throws {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await cancelWhenGracefulShutdown { await watch() } }
            group.addTask { await cancelWhenGracefulShutdown { await send() } }
        }
    }

    private func watch() async {
        var turn: Int64 = 0
        var isFailing = false
        while await pause(milliseconds: limits.lookSeconds * 1_000) {
            turn += 1
            do {
                if turn % limits.looksPerChange != 1, try await !watcher.hasNews() { continue }
                let now = now()
                for alert in try await watcher.look(at: now) where alert.changedAt == now {
                    logger.notice(
                        "alert",
                        metadata: [
                            "number": "\(alert.id)", "kind": "\(alert.kind.rawValue)",
                            "state": "\(alert.state.rawValue)", "title": "\(alert.title)",
                        ])
                }
                isFailing = false
            } catch {
                guard !Task.isCancelled else { return }
                // The next look sees what this one could not; the log says so once.
                if !isFailing {
                    logger.error("cannot look for alerts", metadata: ["error": "\(error)"])
                }
                isFailing = true
            }
        }
    }

    private func send() async {
        var isFailing = false
        while await pause(milliseconds: limits.sendMilliseconds) {
            do {
                for failure in try await deliverer.turn(now: now) {
                    logger.warning(
                        "an alert was not delivered",
                        metadata: [
                            "destination": "\(failure.destination)", "notice": "\(failure.notice)",
                            "problem": "\(failure.problem)",
                        ])
                }
                isFailing = false
            } catch {
                guard !Task.isCancelled else { return }
                if !isFailing {
                    logger.error("cannot send alerts", metadata: ["error": "\(error)"])
                }
                isFailing = true
            }
        }
    }

    /// False when the hub is going down.
    private func pause(milliseconds: Int64) async -> Bool {
        do {
            try await Task.sleep(for: .milliseconds(milliseconds))
            return true
        } catch {
            return false
        }
    }
}
