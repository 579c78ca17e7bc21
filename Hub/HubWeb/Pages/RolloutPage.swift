import Forecasting
import HTTPTypes
import HubCore
import HubStore
import Hummingbird

/// One rollout, wave by wave, store by store, device by device, and what an operator can do with it.
enum RolloutPage {
    static func add(to pages: PageRoutes, _ visits: Visits) {
        pages.page("rollouts/:rollout", visits) { try await page($0) }
        pages.live("rollouts/:rollout/live", visits) { try await progress($0, found($0)) }
        deed("pause", pages, visits) { why, _ in .pause(why: why) }
        deed("resume", pages, visits) { why, facts in
            .resume(why: why, failures: facts.failures)
        }
        deed("promote", pages, visits) { why, _ in .promote(why: why) }
        deed("abort", pages, visits) { why, _ in .abort(why: why) }
    }

    private typealias Found = (rollout: RolloutRecord, facts: RolloutFacts)

    private static func found(_ visit: Visit) async throws -> Found {
        guard let id = UInt64(try visit.part("rollout")), id > 0, id <= UInt64(Int64.max),
            let found = try await visit.store.rolloutFacts(
                id, listeningSince: visit.now, at: visit.now)
        else { throw Refusal(.notFound, "There is no such rollout.") }
        return found
    }

    /// The same change as the command of that name makes.
    private static func deed(
        _ verb: String, _ pages: PageRoutes, _ visits: Visits,
        _ event: @escaping @Sendable (_ why: String, RolloutFacts) -> RolloutEvent
    ) {
        pages.deed("rollouts/:rollout/\(verb)", visits) { visit, fields in
            let (rollout, facts) = try await found(visit)
            guard let why = fields["why"], why.contains(where: { !$0.isWhitespace }) else {
                throw Refusal(
                    .badRequest, "Say why, for whoever reads the audit log; nothing was changed.")
            }
            // What the operator saw when he decided; who was quicker wins.
            guard let revision = fields["revision"].flatMap({ UInt64($0) }) else {
                throw Refusal(.badRequest, "The form does not say what it was made of.")
            }
            _ = try await visit.store.change(
                rollout: rollout.id, by: event(why, facts), ifStill: revision, at: visit.now)
            return Link("rollouts", "\(rollout.id)")
        }
    }

    private static func page(_ visit: Visit) async throws -> Page {
        let found = try await found(visit)
        let rollout = found.rollout
        var page = Page("Rollout \(rollout.id)", in: .rollouts)
        page.crumbs = [("Rollouts", Link("rollouts"))]
        page.scope =
            "\(rollout.family)\(rollout.release.map { ", release \($0)" } ?? "") to"
            + " \(rollout.selector.text), pushed \(PageText.moment(rollout.createdAt))"
        page.command = "shelfcast-hub rollout show \(rollout.id)"
        page.body = """
            <p class="note">\(ReportMarkup.sentence(rollout.policy.summary))</p>
            \(Markup(
                live: Link("rollouts", "\(rollout.id)", "live"),
                try await progress(visit, found)))
            \(deeds(found, visit.session))
            """
        return page
    }

    // MARK: What moves

    private static func progress(_ visit: Visit, _ found: Found) async throws -> Markup {
        let (rollout, facts) = found
        let progress = RolloutProgress(
            of: rollout, devices: try await visit.store.devices(store: nil),
            members: try await visit.store.members(rollout: rollout.id))
        let counts = RolloutProgress.State.allCases.compactMap { state in
            let count = progress.count(state)
            return count == 0 ? nil : "\(count) \(state.rawValue)"
        }.joined(separator: ", ")
        let isBad = rollout.state == .paused || RolloutEngine.waitsForOperator(rollout, facts)
        let word: Markup = isBad ? "word bad" : "word"
        // Of a rollout that does not run it begins with the state, which stands before it here.
        let standing = RolloutEngine.standing(rollout, facts)
        let state = "\(rollout.state.rawValue): "
        let said = standing.hasPrefix(state) ? String(standing.dropFirst(state.count)) : standing
        return """
            <p class="\(word)">\(RolloutText.state(rollout.state)): \(said).</p>
            <section class="first"><h2>Waves</h2>
            \(waves(rollout, facts))
            </section>
            \(stores(try await visit.store.rolloutStores(rollout.id), progress))
            <section><h2>Devices</h2>
            <p class="note">\(counts.isEmpty ? "It selects no device." : counts + ".")</p>
            \(devices(progress))
            </section>
            """
    }

    private static func waves(_ rollout: RolloutRecord, _ facts: RolloutFacts) -> Markup {
        guard !rollout.waves.isEmpty else {
            return "<p class=\"note\">It selected no device when it was pushed.</p>"
        }
        var table = PageTable(
            "Waves",
            columns: [
                .init("Wave", isText: true), .init("Devices"), .init("How far", isText: true),
                .init("Active"), .init("In trial"), .init("On their way"), .init("Failed"),
                .init("Opened", isText: true), .init("Succeeded", isText: true),
            ])
        table.isStacked = true
        for (index, wave) in rollout.waves.enumerated() {
            let facts = facts.waves[index]
            table.add([
                .init("\(index + 1)"), .init("\(wave.devices)"),
                .init(bar(facts, devices: wave.devices)), .init("\(facts.active)"),
                .init("\(facts.trial)"), .init("\(facts.assigned + facts.waiting)"),
                .init("\(facts.failures)"),
                .init(wave.openedAt.map { PageText.moment($0) } ?? "not yet"),
                .init(wave.soakingSince.map { PageText.moment($0) } ?? "not yet"),
            ])
        }
        return table.markup
    }

    /// Active, in trial, failed, of all; the figures stand beside it.
    private static func bar(_ facts: RolloutFacts.Wave, devices: Int) -> Markup {
        guard devices > 0 else { return .empty }
        var x = 0.0
        func part(_ count: Int, _ kind: String) -> Markup {
            let width = 100 * Double(count) / Double(devices)
            defer { x += width }
            return """
                <rect class="wave-\(kind)" x="\(Figure.fixed(x, decimals: 2))" width="\(Figure.fixed(width, decimals: 2))" height="8"/>
                """
        }
        let parts = [
            part(facts.active, "active"), part(facts.trial, "trial"),
            part(facts.failures, "failed"),
        ]
        return """
            <svg class="waves" viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true">\
            <rect class="wave-rest" width="100" height="8"/>\(parts)</svg>
            """
    }

    private static func stores(
        _ records: [RolloutStoreRecord], _ progress: RolloutProgress
    ) -> Markup {
        guard !records.isEmpty else { return .empty }
        var table = PageTable(
            "Stores",
            columns: [
                .init("Store", isText: true), .init("State", isText: true),
                .init("Error of what is tried, beside what runs", isText: true),
            ])
        table.isStacked = true
        let states = Dictionary(grouping: progress.lines, by: \.store).mapValues {
            Set($0.map(\.state))
        }
        for record in records {
            let isTried = states[record.store]?.contains(.trial) ?? false
            let isActive = states[record.store]?.contains(.active) ?? false
            let state: Markup =
                record.rolledBackAt.map {
                    "\(PageText.state("rolled back", .bad)) \(PageText.moment($0))"
                }
                ?? (isTried
                    ? PageText.state("in trial", .warn)
                    : isActive
                        ? PageText.state("kept", .good) : PageText.state("not tried now", .open))
            table.add([
                .init(Link("stores", record.store.text).to(record.store.text)), .init(state),
                .init(record.verdict.isEmpty ? record.why : record.verdict),
            ])
        }
        return "<section><h2>Stores</h2>\(table.markup)</section>"
    }

    private static func devices(_ progress: RolloutProgress) -> Markup {
        guard !progress.lines.isEmpty else { return .empty }
        var table = PageTable(
            "Devices",
            columns: [
                .init("Device", isText: true), .init("Store", isText: true), .init("Wave"),
                .init("State", isText: true), .init("Why", isText: true),
            ])
        table.isStacked = true
        for line in progress.lines {
            table.add([
                .init(Link("fleet", line.device.text).to(line.device.text)),
                .init(Link("stores", line.store.text).to(line.store.text)),
                .init(line.wave.map { "\($0 + 1)" } ?? "late"),
                .init(RolloutText.state(line.state)), .init(line.reason),
            ])
        }
        return table.markup
    }

    // MARK: What can be done

    private static func deeds(_ found: Found, _ session: PageSession) -> Markup {
        let rollout = found.rollout
        guard session.isOperator, rollout.state != .aborted else { return .empty }
        func form(_ verb: String, _ title: String, _ meaning: String, isGrave: Bool = false)
            -> Markup
        {
            let look: Markup = isGrave ? " class=\"danger\"" : " class=\"quiet\""
            return """
                <form method="post" action="/rollouts/\(rollout.id)/\(verb)">\(session.formField)\
                <input type="hidden" name="revision" value="\(rollout.revision)">\
                <p>\(meaning)</p>\
                <label>Why, for the audit log <input name="why" required maxlength="500" autocomplete="off"></label>\
                <button\(look)>\(title)</button></form>
                """
        }
        var forms: [Markup] = []
        switch rollout.state {
        case .running:
            forms.append(
                form(
                    "promote", rollout.isLastWaveOpen ? "Call it complete" : "Open the next wave",
                    rollout.isLastWaveOpen
                        ? "All waves are open: it is complete, and who joins later gets it."
                        : "Go on without waiting. Trials on the devices go on as they are."))
            forms.append(
                form("pause", "Pause", "Who has the package keeps it; nobody new gets it."))
        case .paused:
            forms.append(
                form(
                    "resume", "Resume",
                    "It goes on; failures until now are not held against it again."))
        case .complete:
            forms.append(
                form(
                    "pause", "Pause",
                    "Who has the package keeps it; who joins later does not get it."))
        case .aborted: break
        }
        forms.append(
            form(
                "abort", "Take it back",
                "Whoever has the package goes back to what ran before. This is final.",
                isGrave: true))
        return "<section><h2>What can be done</h2><div class=\"deeds\">\(forms)</div></section>"
    }
}
