import Forecasting
import HTTPTypes
import HubCore
import HubStore
import Hummingbird

/// What waits for a person: alerts nobody has seen, devices at the door, copies of devices, what
/// the autopilot advises, rollouts that stopped.
struct Decisions: Sendable {
    private static let shownMax = 20

    private static let alertsMax = 100

    private var lines: [Markup] = []

    init(in store: any HubStore, fleet: ReportFleet, at now: Timestamp) async throws {
        let alerts = try await store.alerts(
            AlertQuery(states: [.open], countMax: Self.alertsMax)
        ).filter { !$0.isGrouped }
        for alert in AlertsPage.sorted(alerts) {
            lines.append(
                """
                \(AlertsPage.severity(alert.severity)) \(Link("alerts", "\(alert.id)").to(alert.title))
                """)
        }
        let pending = fleet.devices.filter { $0.status == .pending }
        if !pending.isEmpty {
            let link = Link("fleet", query: [("status", "pending")])
            lines.append(
                "\(link.to(Figure.count(pending.count, "device"))) \(pending.count == 1 ? "waits" : "wait") for approval."
            )
        }
        for device in fleet.devices where device.contactLine.copies != .none {
            let link = Link("fleet", device.id.text).to("Device \(device.id.text)")
            let store = device.store.text
            lines.append(
                device.contactLine.copies == .undecided
                    ? "\(link) of store \(store) was copied, and nothing tells the copies apart: all of them are turned away."
                    : "\(link) of store \(store): a copy of it came and is turned away.")
        }
        let rollouts = try await store.rollouts()
        for run in try await store.autopilotRuns(countMax: Self.shownMax) {
            guard run.outcome == .advised, let family = run.family,
                !rollouts.contains(where: { $0.family == family })
            else { continue }
            let link = AutopilotRunPage.link(run).to("Run \(run.id) of the autopilot")
            lines.append(
                "\(link) advises to push \(Link("models", family).to(family)): \(run.why).")
        }
        for rollout in rollouts.prefix(Self.shownMax) {
            let link = Link("rollouts", "\(rollout.id)").to("Rollout \(rollout.id)")
            if rollout.state == .paused {
                lines.append("\(link) of \(rollout.family) is paused: \(rollout.why).")
            } else if rollout.state == .running,
                let (judged, facts) = try await store.rolloutFacts(
                    rollout.id, listeningSince: now, at: now),
                RolloutEngine.waitsForOperator(judged, facts)
            {
                lines.append(
                    "\(link) of \(rollout.family): \(RolloutEngine.standing(judged, facts)).")
            }
        }
    }

    var markup: Markup {
        let items: [Markup] = lines.prefix(Self.shownMax).map { "<li>\($0)</li>\n" }
        let rest: Markup? =
            lines.count > Self.shownMax
            ? "<li>\(lines.count - Self.shownMax) more like these.</li>" : nil
        let none: Markup? =
            lines.isEmpty ? "<li class=\"none\">Nothing needs a decision.</li>" : nil
        return """
            <section aria-labelledby="decisions"><h2 id="decisions">What needs a decision</h2>
            <ul class="todo">\(items)\(rest)\(none)</ul></section>
            """
    }
}
