import Forecasting
import HTTPTypes
import HubCore
import HubStore
import Hummingbird

/// Every push and where it stands, newest first.
enum RolloutsPage {
    static func add(to pages: PageRoutes, _ visits: Visits) {
        pages.page("rollouts", visits) { visit in
            var page = Page("Rollouts", in: .rollouts)
            page.scope = "What was pushed to whom, and how far it has come; newest first"
            page.command = "shelfcast-hub rollout list"
            page.body = Markup(
                live: Link("rollouts", "live"), try await list(visit))
            return page
        }
        pages.live("rollouts/live", visits) { try await list($0) }
    }

    private static func list(_ visit: Visit) async throws -> Markup {
        let rollouts = try await visit.store.rollouts()
        guard !rollouts.isEmpty else {
            return """
                <p class="note">Nothing was pushed yet: <code>shelfcast-hub push FAMILY --all</code> does.</p>
                """
        }
        var table = PageTable(
            "Rollouts",
            columns: [
                .init("Rollout", isText: true), .init("Family", isText: true), .init("Release"),
                .init("To", isText: true), .init("State", isText: true), .init("Wave"),
                .init("Since", isText: true), .init("Why", isText: true),
            ])
        table.isStacked = true
        for rollout in rollouts {
            table.add([
                .init(Link("rollouts", "\(rollout.id)").to("Rollout \(rollout.id)")),
                .init(rollout.family), .init(rollout.release.map { "\($0)" } ?? "newest"),
                .init(rollout.selector.text), .init(RolloutText.state(rollout.state)),
                .init(rollout.openWave.map { "\($0 + 1) of \(rollout.waves.count)" } ?? "none"),
                .init(PageText.moment(rollout.stateSince)), .init(rollout.why),
            ])
        }
        return table.markup
    }
}

enum RolloutText {
    static func state(_ state: RolloutState) -> Markup {
        switch state {
        case .running: PageText.state("running", .warn)
        case .paused: PageText.state("paused", .bad)
        case .aborted: PageText.state("aborted", .open)
        case .complete: PageText.state("complete", .good)
        }
    }

    static func state(_ state: RolloutProgress.State) -> Markup {
        switch state {
        case .active: PageText.state(state.rawValue, .good)
        case .trial, .assigned, .goingBack: PageText.state(state.rawValue, .warn)
        case .refused, .rolledBack: PageText.state(state.rawValue, .bad)
        case .waiting, .noFit, .superseded: PageText.state(state.rawValue, .open)
        }
    }
}
