import Forecasting
import HTTPTypes
import HubCore
import HubStore
import JSONText

/// The report, the overview, stores and items: the figures that the pages show.
enum ReportRoutes {
    static let rangeQuery: [APIRoute.Parameter] = [
        .init(
            "days",
            .text(
                APIText(
                    length: 1...4,
                    pattern:
                        "^(all|[1-9][0-9]{0,2}|[12][0-9]{3}|3[0-5][0-9]{2}|36[0-5][0-9]|3660)$",
                    words: "a number from 1 to 3660, or all", example: "28"
                ) { $0 == "all" || Int($0).map { (1...3_660).contains($0) } == true }),
            "The last so many days up to the latest that anything is known of, or all; \(DayRange.standard) unless said otherwise."
        ),
        .init("from", .text(.day), "From this day on, instead of days."),
        .init("to", .text(.day), "Up to this day, instead of days."),
    ]

    private static let selectionQuery: [APIRoute.Parameter] = [
        .init("store", .text(.store), "Only this store."),
        .init(
            "region",
            .text(
                APIText(
                    length: 1...64, pattern: "^[A-Za-z0-9._-]+$",
                    words: "a region: 1 to 64 letters, digits, '.', '_' and '-'", example: "north"
                ) { text in
                    text.utf8.allSatisfy {
                        switch $0 {
                        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x2E, 0x5F: true
                        default: false
                        }
                    }
                }),
            "Only devices with the label region=NAME."),
        .init("device", .text(.device), "Only this device."),
        .init("item", .text(.item), "Only this item."),
        .init("from", .text(.day), "From this day on."),
        .init("to", .text(.day), "Up to this day."),
    ]

    static let routes: [APIRoute] = [
        .one(
            "/overview", "getOverview", .report,
            "What needs a decision, which stores forecast well, which do not and why, what the fleet runs",
            "The page of the morning.", query: rangeQuery, shape: overview, readOverview),
        .one(
            "/report", "getReport", .report, "How good the forecasts were, and what is missing",
            """
            The figures of 'shelfcast-hub report --json'. What each line is of is the view; lines come page by page, in the \
            order of the report. A store from which nothing came has its line too.
            """,
            query: [
                .init(
                    "by", .word(ReportView.allCases.map(\.rawValue)),
                    "What each line is of; store unless said otherwise.")
            ] + selectionQuery + APIRoute.paging, shape: report, readReport),
        .list(
            "/report/devices", "listDeviceCoverage", .report,
            "What came of each device, and what is missing", query: selectionQuery,
            shape: ReportShapes.device
        ) { call in
            let fleet = try await call.store.reportFleet()
            let coverage = try await call.store.reportCoverage(
                of: try await selection(call, fleet), fleet: fleet)
            return try call.page(ReportShapes.Device.all(of: coverage, fleet: fleet)) {
                [.text($0.coverage.store.text), .text($0.coverage.device.text)]
            }
        },
        .list(
            "/stores", "listStores", .stores,
            "Every store with its figures, and whether it forecasts well",
            query: rangeQuery + [search], shape: finding, readStores),
        .one(
            "/stores/{store}", "getStore", .stores,
            "A store: its figures, days, weekdays, packages, and alerts", query: rangeQuery,
            shape: store, readStore),
        .list(
            "/stores/{store}/items", "listItems", .stores,
            "The items of a store with their figures",
            query: rangeQuery + [search], shape: ReportShapes.figures, readItems),
        .one(
            "/stores/{store}/items/{item}", "getItem", .stores,
            "The figures of one item in a store",
            query: rangeQuery, shape: item
        ) { call in
            let (store, item) = try await foundItem(call)
            let range = try await range(call)
            let fleet = try await call.store.reportFleet()
            let lines = try await call.store.reportLines(
                .chain,
                of: ReportSelection(
                    store: store, item: item, first: range.first, last: range.last), fleet: fleet)
            return Item(
                store: store, item: item,
                devices: Set(
                    try await call.store.seriesForecasts(
                        store: store, item: item, from: range.first, through: range.last
                    ).map(\.device)
                ).sorted(), figures: (lines.first, item.text))
        },
        .list(
            "/stores/{store}/items/{item}/days", "listItemDays", .stores,
            "What was sold of an item day by day, beside what was forecast and its P90",
            "Newest first; each device of a store forecasts by itself.",
            query: rangeQuery + [
                .init("device", .text(.device), "Only what this device forecast.")
            ], shape: itemDay, readDays),
    ]

    static let search = APIRoute.Parameter(
        "q", .text(.plain(1...100, example: "12")), "Only what has this in its name.")

    static func range(_ call: APICall) async throws -> DayRange {
        try await DayRange(
            days: call.text("days"), from: call.text("from"), to: call.text("to"),
            in: call.store)
    }

    /// What the command line refuses is refused here: a figure of what is not there would read like one of no error.
    private static func selection(
        _ call: APICall, _ fleet: ReportFleet
    ) async throws -> ReportSelection {
        let (first, last) = try call.days
        let selection = ReportSelection(
            store: try call.wanted("store"), region: call.text("region"),
            device: try call.wanted("device"), item: try call.wanted("item"), first: first,
            last: last)
        func nothing(_ noun: String, _ name: String) -> APIProblem {
            APIProblem(.notFound, "There is no \(noun) '\(name)'.", at: "query \(noun)")
        }
        if let store = selection.store, try await call.store.store(store) == nil {
            throw nothing("store", store.text)
        }
        if let region = selection.region,
            !fleet.devices.contains(where: { fleet.region(of: $0.id) == region })
        {
            throw nothing("region", region)
        }
        if let device = selection.device, !fleet.devices.contains(where: { $0.id == device }) {
            throw nothing("device", device.text)
        }
        if let item = selection.item {
            var isKnown = false
            for record in try await call.store.stores()
            where !isKnown && (selection.store == nil || record.id == selection.store) {
                isKnown = try await call.store.items(store: record.id).contains(item)
            }
            guard isKnown else { throw nothing("item", item.text) }
        }
        return selection
    }

    // MARK: The report

    struct Report: Sendable {
        var view: ReportView
        var chain: ReportShapes.Covered
        var lines: [ReportShapes.Covered]
        var next: String?
    }

    static let line = Shape<ReportShapes.Covered>(
        "ReportLine",
        "Figures of one line. By store also what was received; else the coverage is null.",
        ReportShapes.figures.lifted { $0.named } + [
            .shapeIfAny(
                "received", "What came of what there should be; by store alone.",
                Shape("Coverage", "What came of what there should be.", ReportShapes.coverageFields)
            ) { $0.coverage.devices.isEmpty ? nil : $0.coverage }
        ])

    static let report = Shape<Report>(
        "Report", "How good the forecasts were.",
        [
            .word("by", "What each line is of.", ReportView.allCases.map(\.rawValue)) {
                $0.view.rawValue
            },
            .shape("chain", "All of the selection together.", ReportShapes.covered) { $0.chain },
            .shape("missing", "What is missing, in words.", ReportShapes.coverageText) {
                $0.chain.coverage
            },
            .text("compression", "What compression costs, in words.", "nothing was replayed yet") {
                ReportText.compression($0.chain.named.line)
            },
            .shapes("lines", "In the order of the report.", line) { $0.lines },
            .textIfAny(
                "next", "The cursor of the next lines; null: these are the last.", "WyJyMTAiXQ"
            ) {
                $0.next
            },
        ])

    private static func readReport(_ call: APICall) async throws -> Report {
        let hub = call.store
        let view = call.word("by") ?? ReportView.store
        let fleet = try await hub.reportFleet()
        let selection = try await selection(call, fleet)
        let lines = try await hub.reportLines(view, of: selection, fleet: fleet)
        let chain =
            view == .chain
            ? lines : try await hub.reportLines(.chain, of: selection, fleet: fleet)
        let coverage = try await hub.reportCoverage(of: selection, fleet: fleet)
        var rows = ReportText.rows(lines)
        if view == .store, selection.region == nil, selection.device == nil {
            rows = ReportText.rows(
                lines,
                and: try await hub.stores().map(\.id).filter {
                    selection.store == nil || $0 == selection.store
                })
        }
        let covered = Dictionary(grouping: coverage.devices, by: \.store.text)
        let nothing = coverage.of([])
        let (shown, next) = try page(of: rows, call)
        return Report(
            view: view, chain: .init((chain.first, nil), coverage),
            lines: shown.map { row in
                .init(
                    (row.line, row.name),
                    view == .store ? coverage.of(covered[row.name] ?? []) : nothing)
            }, next: next)
    }

    /// Views are ordered each in its own way, so a cursor names the last line; its place counts where that is gone.
    private static func page(
        of rows: [ReportText.Row], _ call: APICall
    ) throws -> (rows: ArraySlice<ReportText.Row>, next: String?) {
        var start = 0
        if let after = try call.after {
            guard after.count == 2, case .rising(let place) = after[0],
                case .text(let name) = after[1], (0..<Int64(Int32.max)).contains(place)
            else { throw APICall.badCursor }
            start = (rows.firstIndex { $0.name == name } ?? Int(place) - 1) + 1
        }
        let shown = rows.dropFirst(start).prefix(call.limit)
        guard shown.endIndex < rows.endIndex, let last = shown.last else { return (shown, nil) }
        return (
            shown, APIKey.cursor([.rising(Int64(shown.endIndex - 1)), .text(last.name)])
        )
    }

    // MARK: The overview

    struct Overview: Sendable {
        var range: DayRange
        var chain: ReportShapes.Covered
        var decisions: Decisions
        var findings: [Finding]
        var days: [ReportLine]
        var fleet: [RunningKind]
    }

    struct Finding: Sendable {
        var finding: StoreFinding
        var covered: ReportShapes.Covered
    }

    static let finding = Shape<Finding>(
        "StoreFinding", "A store, its figures, and whether it forecasts well.",
        [
            .store { $0.finding.store },
            .word(
                "standing", "Whether it forecasts well. \(StoreFinding.rule).",
                StoreFinding.Standing.words
            ) {
                $0.finding.standing.word
            },
            .texts(
                "reasons", "Why not, the weightiest first; empty where it does.",
                ["28 of 1260 forecasts are missing"]
            ) { $0.finding.reasons },
            .shape("figures", "Its figures, and what was received.", ReportShapes.covered) {
                $0.covered
            },
        ])

    static let decision = Shape<Decisions.Line>(
        "Decision", "Something that waits for a person.",
        [
            .word("kind", "What it is about.", Decisions.Kind.allCases.map(\.rawValue)) {
                $0.kind.rawValue
            },
            .text("text", "In words.", "Rollout 4 of spring is paused: complaints.") { $0.text },
            .text("page", "The address of its page.", "/rollouts/4") { $0.link.text },
        ])

    static let runningKind = Shape<RunningKind>(
        "RunningPackages", "What some devices run: packages of one variant and release.",
        [
            .text("name", "family/variant, nothing, or not of this hub.", "spring/profile-4") {
                $0.name
            },
            .countIfAny("release", "The release.", 3) { $0.release == 0 ? nil : $0.release },
            .count("devices", "Approved devices that run it.") { $0.devices },
            .count("stores", "Stores they are in.", 3) { $0.stores.count },
            .countIfAny("packageBytesMin", "The smallest store's package.", 512) {
                $0.bytes.min()
            },
            .countIfAny("packageBytesMax", "The largest store's package.", 574) { $0.bytes.max() },
            .countIfAny("arenaBytesMin", "Memory that the smallest takes.", 1_180) {
                $0.arena.min()
            },
            .countIfAny("arenaBytesMax", "Memory that the largest takes.", 1_240) {
                $0.arena.max()
            },
        ])

    static let overview = Shape<Overview>(
        "Overview", "The chain in one look.",
        [
            .dayIfAny("from", "The first day of the figures; null: from the first there is.") {
                $0.range.first
            },
            .dayIfAny("to", "The last day of the figures; null: up to the latest.") {
                $0.range.last
            },
            .shapes(
                "decisions", "What needs a decision, \(Decisions.shownMax) at most.", decision,
                countMax: Decisions.shownMax
            ) { Array($0.decisions.lines.prefix(Decisions.shownMax)) },
            .count("decisionCount", "How many there are in all.", 1) { $0.decisions.lines.count },
            .shape("chain", "The whole chain.", ReportShapes.covered) { $0.chain },
            .count("storesGood", "Stores that forecast well.", 4) { overview in
                overview.findings.count { $0.finding.standing == .good }
            },
            .count("storesPoor", "Stores that do not.", 1) { overview in
                overview.findings.count { $0.finding.standing == .poor }
            },
            .count("storesUnknown", "Stores without a figure.", 0) { overview in
                overview.findings.count { $0.finding.standing == .unknown }
            },
            .shapes(
                "storesToLookAt",
                "Those that do not forecast well or have no figure, \(OverviewPage.storesShown) at most.",
                finding, countMax: OverviewPage.storesShown
            ) { overview in
                Array(
                    overview.findings.filter { $0.finding.standing != .good }.prefix(
                        OverviewPage.storesShown))
            },
            .shapes("days", "Day by day.", ReportShapes.figures) {
                $0.days.map { ($0, $0.name) }
            },
            .shapes("fleet", "What the fleet runs.", runningKind) { $0.fleet },
        ])

    private static func readOverview(_ call: APICall) async throws -> Overview {
        let range = try await range(call)
        let hub = call.store
        let fleet = try await hub.reportFleet()
        let selection = ReportSelection(first: range.first, last: range.last)
        let tables = try await hub.reportTables(
            [ReportTable(.chain), ReportTable(.day, countsSeries: false), ReportTable(.store)],
            of: selection, fleet: fleet)
        let coverage = try await hub.reportCoverage(of: selection, fleet: fleet)
        let found = try await OverviewPage.findings(
            tables[2], selection, coverage, fleet: fleet, in: hub)
        return Overview(
            range: range, chain: .init((tables[0].first, nil), coverage),
            decisions: try await Decisions(in: hub, fleet: fleet, at: call.now),
            findings: findings(found, coverage), days: tables[1],
            fleet: RunningKind.kinds(of: fleet))
    }

    private static func findings(
        _ found: [(finding: StoreFinding, line: ReportLine?)], _ coverage: ReportCoverage
    ) -> [Finding] {
        let covered = Dictionary(grouping: coverage.devices, by: \.store)
        return found.map { one in
            Finding(
                finding: one.finding,
                covered: .init(
                    (one.line, one.finding.store.text),
                    coverage.of(covered[one.finding.store] ?? [])))
        }
    }

    // MARK: Stores

    private static func readStores(_ call: APICall) async throws -> APIPage<Finding> {
        let range = try await range(call)
        let hub = call.store
        let fleet = try await hub.reportFleet()
        let selection = ReportSelection(first: range.first, last: range.last)
        let lines = try await hub.reportLines(.store, of: selection, fleet: fleet)
        let coverage = try await hub.reportCoverage(of: selection, fleet: fleet)
        let byName = Dictionary(lines.map { ($0.name, $0) }, uniquingKeysWith: { $1 })
        let devices = Dictionary(grouping: fleet.devices, by: \.store)
        let covered = Dictionary(grouping: coverage.devices, by: \.store)
        let wanted = try await hub.stores().map(\.id).filter { store in
            call.text("q").map { store.text.contains($0) } ?? true
        }
        let page = try call.page(wanted) { [.text($0.text)] }
        return APIPage(
            findings(
                page.items.map { store in
                    (
                        StoreFinding(
                            store: store, line: byName[store.text], items: [],
                            devices: devices[store] ?? [],
                            coverage: coverage.of(covered[store] ?? [])), byName[store.text]
                    )
                }, coverage), next: page.next)
    }

    struct Store: Sendable {
        var record: StoreRecord
        var finding: Finding
        var days: [ReportLine]
        var weekdays: [ReportLine]
        var packages: [ReportLine]
        var coverage: ReportCoverage
        var alerts: [AlertRecord]
    }

    static let store = Shape<Store>(
        "Store", "One store.",
        [
            .text("timeZone", "An IANA name.", "Europe/Berlin") { $0.record.timeZone },
            .shape("finding", "Its figures, and whether it forecasts well.", finding) {
                $0.finding
            },
            .shape("missing", "What is missing, in words.", ReportShapes.coverageText) {
                $0.coverage
            },
            .shapes("days", "Day by day.", ReportShapes.figures) {
                $0.days.map { ($0, $0.name) }
            },
            .shapes("weekdays", "By weekday, Monday first.", ReportShapes.figures, countMax: 7) {
                $0.weekdays.map { ($0, $0.name) }
            },
            .shapes("packages", "By the package that forecast.", ReportShapes.figures) {
                $0.packages.map { ($0, $0.name) }
            },
            .shapes(
                "alerts", "Open and acknowledged ones, the most severe first.", AlertRoutes.alert,
                countMax: 100
            ) { $0.alerts },
        ])

    private static func foundStore(_ call: APICall) async throws -> StoreRecord {
        let id: StoreID = try call.identifier("store")
        guard let record = try await call.store.store(id) else {
            throw APICall.nothing("store", id.text)
        }
        return record
    }

    private static func readStore(_ call: APICall) async throws -> Store {
        let record = try await foundStore(call)
        let range = try await range(call)
        let hub = call.store
        let fleet = try await hub.reportFleet()
        let selection = ReportSelection(store: record.id, first: range.first, last: range.last)
        let tables = try await hub.reportTables(
            [
                ReportTable(.chain), ReportTable(.day, countsSeries: false), ReportTable(.item),
                ReportTable(.weekday), ReportTable(.package),
            ], of: selection, fleet: fleet)
        let coverage = try await hub.reportCoverage(of: selection, fleet: fleet)
        var query = AlertQuery(countMax: 100)
        query.store = record.id
        return Store(
            record: record,
            finding: Finding(
                finding: StoreFinding(
                    store: record.id, line: tables[0].first, items: tables[2],
                    devices: fleet.devices.filter { $0.store == record.id }, coverage: coverage),
                covered: .init((tables[0].first, record.id.text), coverage)),
            days: tables[1], weekdays: tables[3], packages: tables[4], coverage: coverage,
            alerts: AlertsPage.sorted(try await hub.alerts(query)))
    }

    private static func readItems(
        _ call: APICall
    ) async throws -> APIPage<ReportShapes.Named> {
        let record = try await foundStore(call)
        let range = try await range(call)
        let fleet = try await call.store.reportFleet()
        let lines = try await call.store.reportLines(
            .item, of: ReportSelection(store: record.id, first: range.first, last: range.last),
            fleet: fleet)
        let byName = Dictionary(lines.map { ($0.name, $0) }, uniquingKeysWith: { $1 })
        let items = try await call.store.items(store: record.id).filter { item in
            call.text("q").map { item.text.contains($0) } ?? true
        }
        let page = try call.page(items) { [.text($0.text)] }
        return APIPage(page.items.map { (byName[$0.text], $0.text) }, next: page.next)
    }

    // MARK: An item

    struct Item: Sendable {
        var store: StoreID
        var item: ItemID
        var devices: [DeviceID]
        var figures: ReportShapes.Named
    }

    static let item = Shape<Item>(
        "Item", "One item of one store.",
        [
            .store { $0.store },
            .init("item", .text(.item), "The item.") { .string($0.item.text) },
            .texts("devices", "Those that forecast it.", ["3f9a21c07b44d2e8"]) {
                $0.devices.map(\.text)
            },
            .shape("figures", "Its figures.", ReportShapes.figures) { $0.figures },
        ])

    struct ItemDay: Sendable {
        var forecast: SeriesForecast
        var model: String
    }

    static let itemDay = Shape<ItemDay>(
        "ItemDay", "One day of one item: what was sold beside what a device forecast.",
        [
            .day("day", "The business day.") { $0.forecast.day },
            .device("Which device forecast.") { $0.forecast.device },
            .countIfAny(
                "actualUnits", "Units sold; null: the day is not final yet, or had no business.", 21
            ) { $0.forecast.pair.actualUnits },
            .number("forecastUnits", "Units forecast the evening before.", 19.5) {
                $0.forecast.pair.forecastUnits
            },
            .countIfAny(
                "p90Units", "What nine of ten such days stay within; null: pending.", 27
            ) { $0.forecast.pair.p90Units },
            .numberIfAny("errorUnits", "Forecast less sold.", -1.5) { day in
                day.forecast.pair.actualUnits.map {
                    day.forecast.pair.forecastUnits - Double($0)
                }
            },
            .countIfAny("seasonalNaiveUnits", "Sold on the same weekday a week before.", 20) {
                $0.forecast.pair.seasonalNaiveUnits
            },
            .count("release", "Of the package that forecast.", 3) { $0.forecast.release },
            .text("model", "That package.", "spring/profile-4, release 3") { $0.model },
        ])

    private static func foundItem(_ call: APICall) async throws -> (StoreID, ItemID) {
        let store = try await foundStore(call).id
        let item: ItemID = try call.identifier("item")
        guard try await call.store.items(store: store).contains(item) else {
            throw APICall.nothing("item", item.text)
        }
        return (store, item)
    }

    private static func readDays(_ call: APICall) async throws -> APIPage<ItemDay> {
        let (store, item) = try await foundItem(call)
        let range = try await range(call)
        let device: DeviceID? = try call.wanted("device")
        let fleet = try await call.store.reportFleet()
        let forecasts = try await call.store.seriesForecasts(
            store: store, item: item, from: range.first, through: range.last
        ).filter { device == nil || $0.device == device }
        let page = try call.page(forecasts) {
            [.falling(Int64($0.day.daysSince1970)), .text($0.device.text)]
        }
        return APIPage(
            page.items.map {
                ItemDay(
                    forecast: $0, model: fleet.modelName(release: $0.release, on: $0.device))
            }, next: page.next)
    }
}

extension StoreFinding.Standing {
    static let words = ["good", "poor", "unknown"]

    var word: String {
        switch self {
        case .good: "good"
        case .poor: "poor"
        case .unknown: "unknown"
        }
    }
}
