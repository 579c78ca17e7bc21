import Forecasting
import HTTPTypes
import HubCore
import HubStore
import Hummingbird

/// The page of the morning: what needs a decision, which stores forecast well, which do not and why, what the fleet runs.
enum OverviewPage {
    /// Stores that are named one by one.
    static let storesShown = 8

    static func add(to pages: PageRoutes, _ visits: Visits) {
        pages.page("/", visits) { try await page($0) }
    }

    private static func page(_ visit: Visit) async throws -> Page {
        let range = try await DayRange(visit)
        let store = visit.store
        let fleet = try await store.reportFleet()
        let selection = ReportSelection(first: range.first, last: range.last)
        let tables = try await store.reportTables(
            [
                ReportTable(.chain), ReportTable(.day, countsSeries: false), ReportTable(.store),
            ], of: selection, fleet: fleet)
        let coverage = try await store.reportCoverage(of: selection, fleet: fleet)
        let findings = try await self.findings(
            tables[2], selection, coverage, fleet: fleet, in: store)
        let chain = tables[0].first
        var page = Page("Overview", in: .overview)
        page.scope = "The whole chain, \(DayRange.text(chain))"
        page.command = "shelfcast-hub report\(range.options)"
        page.body = """
            \(range.links(Link()))
            \(try await Decisions(in: store, fleet: fleet, at: visit.now).markup)
            \(ReportMarkup.tiles(chain, of: selection))
            \(ReportMarkup.coverage(coverage, pending: chain?.sums.pending ?? 0))
            \(stores(findings, range))
            <section><h2>Day by day</h2>
            \(days(tables[1]))
            </section>
            \(runs(fleet))
            """
        return page
    }

    /// Of every store that has a name, those that do not forecast well first.
    static func findings(
        _ lines: [ReportLine], _ selection: ReportSelection, _ coverage: ReportCoverage,
        fleet: ReportFleet, in hub: any HubStore
    ) async throws -> [(finding: StoreFinding, line: ReportLine?)] {
        let byName = Dictionary(lines.map { ($0.name, $0) }, uniquingKeysWith: { $1 })
        let devices = Dictionary(grouping: fleet.devices, by: \.store)
        let covered = Dictionary(grouping: coverage.devices, by: \.store)
        var found: [(finding: StoreFinding, line: ReportLine?)] = []
        var looked = 0
        for record in try await hub.stores() {
            func finding(_ items: [ReportLine]) -> StoreFinding {
                StoreFinding(
                    store: record.id, line: byName[record.id.text], items: items,
                    devices: devices[record.id] ?? [],
                    coverage: coverage.of(covered[record.id] ?? []))
            }
            var own = finding([])
            // Items are read of the few stores that will be named.
            if own.standing == .poor, looked < storesShown {
                looked += 1
                var one = selection
                one.store = record.id
                own = finding(
                    try await hub.reportTables(
                        [ReportTable(.item, countsSeries: false)], of: one, fleet: fleet)[0])
            }
            found.append((own, byName[record.id.text]))
        }
        return found.sorted { a, b in
            if a.finding.standing != b.finding.standing {
                return a.finding.standing.rawValue < b.finding.standing.rawValue
            }
            let (first, second) = (a.line?.sums.accuracy.wape, b.line?.sums.accuracy.wape)
            if first != second { return (first ?? 0) > (second ?? 0) }
            return a.finding.store < b.finding.store
        }
    }

    private static func stores(
        _ found: [(finding: StoreFinding, line: ReportLine?)], _ range: DayRange
    ) -> Markup {
        guard !found.isEmpty else {
            return """
                <section><h2>Stores</h2><p class="note">There is no store yet: \
                <code>shelfcast-hub sales import</code> or a join token makes one.</p></section>
                """
        }
        func of(_ standing: StoreFinding.Standing) -> [(finding: StoreFinding, line: ReportLine?)] {
            found.filter { $0.finding.standing == standing }
        }
        let (poor, unknown, good) = (of(.poor), of(.unknown), of(.good))
        let counts = [
            poor.isEmpty ? nil : "\(Figure.count(poor.count, "store")) not well",
            unknown.isEmpty ? nil : "\(unknown.count) without a figure",
            good.isEmpty ? nil : "\(good.count) well",
        ].compactMap { $0 }.joined(separator: ", ")
        let best = good.sorted {
            ($0.line?.sums.accuracy.wape ?? 0) < ($1.line?.sums.accuracy.wape ?? 0)
        }
        return """
            <section><h2>Which stores forecast well</h2>
            <p class="note">\(ReportMarkup.sentence(counts)) \(ReportMarkup.sentence(StoreFinding.rule))</p>
            \(table("Stores to look at", poor + unknown, range))
            \(table("Stores that forecast well", best, range))
            <p>\(Link("stores", query: range.query).to("All stores"))</p>
            </section>
            """
    }

    private static func table(
        _ label: String, _ found: [(finding: StoreFinding, line: ReportLine?)], _ range: DayRange
    ) -> Markup {
        guard !found.isEmpty else { return .empty }
        let isGood = found[0].finding.standing == .good
        var table = PageTable(
            label,
            columns: [
                .init("Store", isText: true), .init("WAPE %", isMain: true), .init("Bias %"),
                .init("Added %"),
            ] + (isGood ? [] : [.init("Why", isText: true)]))
        table.isStacked = !isGood
        for one in found.prefix(storesShown) {
            let sums = one.line?.sums ?? ForecastSums()
            let link = Link("stores", one.finding.store.text, query: range.query)
            table.add(
                [
                    .init(link.to(one.finding.store.text)),
                    .init(Figure.fixed(sums.accuracy.wape, decimals: 2)),
                    .init(Figure.fixed(sums.accuracy.bias, decimals: 2)),
                    .init(Figure.fixed(sums.valueAdded.map { $0 * 100 }, decimals: 2)),
                ] + (isGood ? [] : [.init(one.finding.reasons.joined(separator: "; "))]))
        }
        let rest: Markup =
            found.count > storesShown
            ? "<p class=\"note\">\(storesShown) of \(found.count).</p>" : .empty
        return "<h3>\(label)</h3>\(table.markup)\(rest)"
    }

    /// The plot and its figures.
    static func days(_ days: [ReportLine], marks: [ErrorPlot.Mark] = []) -> Markup {
        guard !days.isEmpty else {
            return "<p class=\"note\">No forecast of these days was received.</p>"
        }
        return """
            \(ErrorPlot.markup(days, marks: marks))
            <details><summary>Every day as figures</summary>
            \(ReportMarkup.table(ReportText.rows(days), heading: "Day").markup)
            </details>
            """
    }

    /// What runs where.
    private static func runs(_ fleet: ReportFleet) -> Markup {
        let approved = fleet.devices.filter { $0.status == .approved }
        guard !approved.isEmpty else {
            return """
                <section><h2>What the fleet runs</h2><p class="note">No device takes part yet: \
                <code>shelfcast-hub token create</code> lets one in.</p></section>
                """
        }
        var table = PageTable(
            "What the fleet runs",
            columns: [
                .init("Package", isText: true), .init("Release"), .init("Devices"),
                .init("Stores"), .init("Bytes"), .init("Arena bytes"),
            ])
        for kind in RunningKind.kinds(of: fleet) {
            table.add([
                .init(kind.name), .init(kind.release == 0 ? "n/a" : "\(kind.release)"),
                .init("\(kind.devices)"), .init("\(kind.stores.count)"),
                .init(span(kind.bytes)), .init(span(kind.arena)),
            ])
        }
        table.isNamed = true
        return """
            <section><h2>What the fleet runs</h2>
            \(table.markup)
            <p>\(Link("fleet").to("All devices"))</p></section>
            """
    }

    private static func span(_ values: [Int]) -> String {
        guard let low = values.min(), let high = values.max() else { return "n/a" }
        return low == high ? "\(low)" : "\(low) to \(high)"
    }
}

/// Packages of one variant and release, be they for several stores, and where they run.
struct RunningKind: Sendable {
    /// "family/variant", or what else there is to say.
    var name: String
    /// 0: of no package of this hub.
    var release: UInt64
    var devices = 0
    var stores: Set<StoreID> = []
    /// Of the packages.
    var bytes: [Int] = []
    var arena: [Int] = []

    /// Of the approved devices, what most run first.
    static func kinds(of fleet: ReportFleet) -> [RunningKind] {
        struct Name: Hashable {
            var name: String
            var release: UInt64
        }
        var kinds: [Name: RunningKind] = [:]
        let approved = fleet.devices.filter { $0.status == .approved }
        for (digest, devices) in Dictionary(grouping: approved, by: { $0.running?.digest }) {
            let package = digest.flatMap { fleet.package(digest: $0) }
            let name = Name(
                name: digest == nil
                    ? "nothing" : package.map { "\($0.family)/\($0.variant)" } ?? "not of this hub",
                release: package?.release ?? 0)
            var kind = kinds[name] ?? RunningKind(name: name.name, release: name.release)
            kind.devices += devices.count
            kind.stores.formUnion(devices.map(\.store))
            if let package {
                kind.bytes.append(package.packageBytes)
                kind.arena.append(package.arenaBytes)
            }
            kinds[name] = kind
        }
        return kinds.values.sorted {
            ($1.devices, $0.name, $0.release) < ($0.devices, $1.name, $1.release)
        }
    }
}
