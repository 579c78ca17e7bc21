import Forecasting
import HTTPTypes
import HubCore
import HubStore
import Hummingbird

/// One device: what it can do, what it runs and why, what it said when.
enum DevicePage {
    private static let eventsShown = 100

    static func add(to pages: PageRoutes, _ visits: Visits) {
        pages.page("fleet/:device", visits) { try await page($0) }
        pages.live("fleet/:device/live", visits) { visit in
            try await state(
                found(visit), fleet: visit.store.reportFleet(), visit)
        }
        pages.deed("fleet/:device/approve", visits) { visit, _ in
            let device = try await found(visit)
            switch device.status {
            case .approved where device.contactLine.copies != .none:
                _ = try await visit.store.forgetCopies(of: device.id, at: visit.now)
            case .approved: throw Refusal(.conflict, "It is approved already.")
            case .revoked:
                throw Refusal(
                    .conflict, "It was revoked for good: let it join again with a new token.")
            case .pending:
                _ = try await visit.store.setStatus(.approved, of: device.id, at: visit.now)
            }
            return Link("fleet", device.id.text)
        }
        pages.deed("fleet/:device/revoke", visits) { visit, fields in
            let device = try await found(visit)
            guard fields["sure"] == "yes" else {
                throw Refusal(
                    .badRequest, "Say that you are sure: a revoked device must join anew.")
            }
            _ = try await visit.store.setStatus(.revoked, of: device.id, at: visit.now)
            return Link("fleet", device.id.text)
        }
    }

    private static func found(_ visit: Visit) async throws -> DeviceRecord {
        let id: DeviceID = try visit.identifier("device")
        guard let device = try await visit.store.device(id) else {
            throw Refusal(.notFound, "There is no device \(id.text).")
        }
        return device
    }

    private static func page(_ visit: Visit) async throws -> Page {
        let device = try await found(visit)
        let fleet = try await visit.store.reportFleet()
        let events = try await visit.store.events(of: device.id, countMax: eventsShown)
        let selection = ReportSelection(device: device.id)
        let line = try await visit.store.reportLines(.chain, of: selection, fleet: fleet).first
        var page = Page("Device \(device.id.text)", in: .fleet)
        page.crumbs = [("Fleet", Link("fleet"))]
        page.scope = "In store \(device.store.text)"
        page.command = "shelfcast-hub device show \(device.id.text)"
        page.body = """
            \(copies(device))
            \(Markup(
                live: Link("fleet", device.id.text, "live"),
                try await state(device, fleet: fleet, visit)))
            <section><h2>Its forecasts</h2>
            <p class="scope">\(DayRange.text(line))</p>
            \(ReportMarkup.tiles(line, of: selection))
            </section>
            <section><h2>What it is</h2>
            \(PageText.facts(identity(device) + capabilities(device)))
            </section>
            \(deeds(device, visit.session))
            <section><h2>What it said, and what was said to it</h2>
            \(history(events))
            </section>
            """
        return page
    }

    /// What moves while somebody looks.
    private static func state(
        _ device: DeviceRecord, fleet: ReportFleet, _ visit: Visit
    ) async throws -> Markup {
        let assignment = try await visit.store.assignment(of: device.id)
        return """
            <section class="first"><h2>What it runs, and why</h2>
            \(PageText.facts(
                [("Last in touch", Markup(text: Figure.age(device.lastSeenAt, now: visit.now)))]
                    + runs(device, assignment, fleet)))
            </section>
            """
    }

    private static func copies(_ device: DeviceRecord) -> Markup {
        switch device.contactLine.copies {
        case .none: .empty
        case .turnedAway:
            "<p class=\"word bad\">A copy of it came and is turned away: two devices were made from one image.</p>"
        case .undecided:
            """
            <p class="word bad">It was copied, and nothing tells the copies apart: all of them are turned away. \
            Join the copies anew, then approve this one.</p>
            """
        }
    }

    private static func runs(
        _ device: DeviceRecord, _ assignment: AssignmentRecord?, _ fleet: ReportFleet
    ) -> [(String, Markup)] {
        var list: [(String, Markup)] = []
        if let running = device.running {
            list.append(
                (
                    "Runs",
                    """
                    \(DeviceText.runs(device, fleet)), release \(running.release), \
                    \(PageText.bytes(running.arenaBytes)) of memory, \
                    <code>\(PageText.digest(running.digest))</code>
                    """
                ))
        } else {
            list.append(("Runs", "nothing"))
        }
        if let measured = device.running.flatMap({
            device.capabilities?.measured?.package($0.digest)
        }) {
            let energy = measured.nanojoules.map { ", \($0) nJ" } ?? ""
            list.append(
                (
                    "Takes",
                    "\(Figure.time(measured.nanoseconds)) a forecast, \(Figure.time(measured.batchNanoseconds)) in a batch of 50\(energy)"
                ))
        }
        guard let assignment else {
            list.append(("Told to run", "nothing"))
            return list
        }
        let rollout = Link("rollouts", "\(assignment.rollout)")
        list.append(
            ("Told to run", "\(rollout.to("Rollout \(assignment.rollout)")): \(assignment.reason)"))
        list.append(("Since", Markup(text: PageText.moment(assignment.decidedAt))))
        let said: Markup
        switch assignment.outcome {
        case .active: said = PageText.state("active", .good)
        case .refused: said = PageText.state("refused", .bad)
        case .rolledBack: said = PageText.state("rolled back", .bad)
        case .trial: said = PageText.state("in trial", .warn)
        case .fetching, nil: said = PageText.state("nothing of it yet", .open)
        }
        let reason: Markup? = assignment.outcomeReason.flatMap {
            $0.isEmpty ? nil : ": \($0)"
        }
        list.append(("It said", "\(said)\(reason)"))
        return list
    }

    private static func identity(_ device: DeviceRecord) -> [(String, Markup)] {
        [
            ("Store", Link("stores", device.store.text).to(device.store.text)),
            ("Status", DeviceText.status(device)),
            (
                "Labels",
                Markup(
                    text: device.effectiveLabels.isEmpty
                        ? "none" : device.effectiveLabels.map(\.text).joined(separator: " "))
            ),
            ("Joined", "\(PageText.moment(device.joinedAt)), with token \(device.token)"),
            (
                "Certificate until", Markup(text: PageText.moment(device.certificateExpiresAt))
            ),
            ("Records stored", "\(device.throughSequence)"),
        ]
    }

    private static func capabilities(_ device: DeviceRecord) -> [(String, Markup)] {
        guard let can = device.capabilities else {
            return [("Machine", "it has not registered yet")]
        }
        var list: [(String, Markup)] = [
            (
                "Machine",
                "\(can.architecture), \(Figure.count(can.cores, "core")) \(can.cpuFeatures.joined(separator: " "))"
            ),
            ("Power", Markup(text: DeviceText.power(can))),
            ("Temperature", can.temperatureCelsius.map { "\($0) °C" } ?? .empty),
            (
                "Memory",
                "\(PageText.bytes(can.memoryAvailableBytes)) of \(PageText.bytes(can.memoryTotalBytes)) free"
            ),
            ("Flash", "\(PageText.bytes(can.flashFreeBytes)) free"),
            (
                "Budget for a model",
                """
                \(PageText.bytes(can.modelMemoryBudgetBytes)), \
                \(can.modelMemoryBudgetSetByOperator ? "set by the operator" : "derived")
                """
            ),
            ("Runtime features", Markup(text: can.runtimeFeatures.joined(separator: " "))),
            ("Contact", Markup(text: can.contact.rawValue)),
            ("Agent", Markup(text: can.agentVersion)),
        ]
        if let measured = can.measured {
            list += [
                ("Kernels", Markup(text: measured.kernels)),
                ("LSTM-16", "\(Figure.time(measured.smallNanoseconds)) a forecast"),
                ("LSTM-64", "\(Figure.time(measured.largeNanoseconds)) a forecast"),
                ("The agent's peak", Markup(text: PageText.bytes(measured.peakMemoryBytes))),
            ]
        }
        return list
    }

    private static func deeds(_ device: DeviceRecord, _ session: PageSession) -> Markup {
        guard session.isOperator, device.status != .revoked else { return .empty }
        let path = "/fleet/" + Link.encoded(device.id.text)
        var forms: [Markup] = []
        if device.status == .pending {
            forms.append(
                """
                <form method="post" action="\(path)/approve">\(session.formField)\
                <p>It takes part from its next contact on.</p><button>Approve</button></form>
                """)
        } else if device.contactLine.copies != .none {
            forms.append(
                """
                <form method="post" action="\(path)/approve">\(session.formField)\
                <p>The copies are gone: whoever comes next with its identity is the device.</p>\
                <button>The copies are gone</button></form>
                """)
        }
        forms.append(
            """
            <form method="post" action="\(path)/revoke">\(session.formField)\
            <label><span><input type="checkbox" name="sure" value="yes" required> \
            It is lost, sold or broken: it must join anew.</span></label>\
            <button class="danger">Revoke</button></form>
            """)
        return "<section><h2>What can be done</h2><div class=\"deeds\">\(forms)</div></section>"
    }

    private static func history(_ events: [DeviceEvent]) -> Markup {
        guard !events.isEmpty else { return "<p class=\"note\">Nothing yet.</p>" }
        var table = PageTable(
            "Events",
            columns: [
                .init("When", isText: true), .init("What", isText: true),
                .init("In words", isText: true),
            ])
        table.isStacked = true
        for event in events {
            table.add([.init(PageText.moment(event.at)), .init(event.kind), .init(event.text)])
        }
        return table.markup
    }
}
