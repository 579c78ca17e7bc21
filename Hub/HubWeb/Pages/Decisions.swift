import Forecasting
import HTTPTypes
import HubCore
import HubStore
import Hummingbird

/// What waits for a person: alerts nobody has seen, devices at the door, copies of devices, what
/// the autopilot advises, rollouts that stopped.
struct Decisions: Sendable {
    static let shownMax = 20

    private static let alertsMax = 100

    enum Kind: String, CaseIterable, Sendable { case alert, approval, copy, advice, rollout }

    /// One thing that waits.
    struct Line: Sendable {
        var kind: Kind
        /// What is said, piece by piece; the first that has an address is what it is about.
        var pieces: [(text: String, link: Link?)]
        var severity: AlertSeverity?

        var text: String { pieces.map(\.text).joined() }
        var link: Link { pieces.lazy.compactMap(\.link).first ?? Link() }

        fileprivate var markup: Markup {
            let mark: Markup? = severity.map { "\(AlertsPage.severity($0)) " }
            let said: [Markup] = pieces.map { piece in
                piece.link?.to(piece.text) ?? Markup(text: piece.text)
            }
            return "\(mark)\(said)"
        }
    }

    private(set) var lines: [Line] = []

    init(in store: any HubStore, fleet: ReportFleet, at now: Timestamp) async throws {
        let alerts = try await store.alerts(
            AlertQuery(states: [.open], countMax: Self.alertsMax)
        ).filter { !$0.isGrouped }
        for alert in AlertsPage.sorted(alerts) {
            lines.append(
                Line(
                    kind: .alert, pieces: [(alert.title, Link("alerts", "\(alert.id)"))],
                    severity: alert.severity))
        }
        let pending = fleet.devices.filter { $0.status == .pending }
        if !pending.isEmpty {
            lines.append(
                Line(
                    kind: .approval,
                    pieces: [
                        (
                            Figure.count(pending.count, "device"),
                            Link("fleet", query: [("status", "pending")])
                        ), (" \(pending.count == 1 ? "waits" : "wait") for approval.", nil),
                    ]))
        }
        for device in fleet.devices where device.contactLine.copies != .none {
            let store = device.store.text
            lines.append(
                Line(
                    kind: .copy,
                    pieces: [
                        ("Device \(device.id.text)", Link("fleet", device.id.text)),
                        (
                            device.contactLine.copies == .undecided
                                ? " of store \(store) was copied, and nothing tells the copies apart: all of them are turned away."
                                : " of store \(store): a copy of it came and is turned away.", nil
                        ),
                    ]))
        }
        let rollouts = try await store.rollouts()
        for run in try await store.autopilotRuns(countMax: Self.shownMax) {
            guard run.outcome == .advised, let family = run.family,
                !rollouts.contains(where: { $0.family == family })
            else { continue }
            lines.append(
                Line(
                    kind: .advice,
                    pieces: [
                        ("Run \(run.id) of the autopilot", AutopilotRunPage.link(run)),
                        (" advises to push ", nil), (family, Link("models", family)),
                        (": \(run.why).", nil),
                    ]))
        }
        for rollout in rollouts.prefix(Self.shownMax) {
            func add(_ what: String) {
                lines.append(
                    Line(
                        kind: .rollout,
                        pieces: [
                            ("Rollout \(rollout.id)", Link("rollouts", "\(rollout.id)")),
                            (what, nil),
                        ]))
            }
            if rollout.state == .paused {
                add(" of \(rollout.family) is paused: \(rollout.why).")
            } else if rollout.state == .running,
                let (judged, facts) = try await store.rolloutFacts(
                    rollout.id, listeningSince: now, at: now),
                RolloutEngine.waitsForOperator(judged, facts)
            {
                add(" of \(rollout.family): \(RolloutEngine.standing(judged, facts)).")
            }
        }
    }

    var markup: Markup {
        let items: [Markup] = lines.prefix(Self.shownMax).map {
            "<li>\($0.markup)</li>\n"
        }
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
