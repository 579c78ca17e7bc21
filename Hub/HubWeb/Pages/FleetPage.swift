import Forecasting
import HTTPTypes
import HubCore
import HubStore
import Hummingbird

/// Every device: where it is, what it may use, what it runs, when it was in touch.
enum FleetPage {
    static func add(to pages: PageRoutes, _ visits: Visits) {
        pages.page("fleet", visits) { try await page($0) }
    }

    private static func page(_ visit: Visit) async throws -> Page {
        let search = visit.query["q"] ?? ""
        let status = visit.query["status"].flatMap { DeviceStatus(rawValue: $0) }
        let fleet = try await visit.store.reportFleet()
        let found = fleet.devices.filter {
            (status == nil || $0.status == status) && matches($0, search, fleet)
        }
        let kept = status.map { [("status", $0.rawValue)] } ?? []
        let sorting = ReportSorting(visit.query, path: Link("fleet"), kept: kept, standard: "store")
        var table = PageTable(
            "Devices",
            columns: [
                .init("Device", isText: true, sortKey: "name"),
                .init("Store", isText: true, sortKey: "store"),
                .init("Status", isText: true, sortKey: "status"),
                .init("Runs", isText: true, sortKey: "runs"),
                .init("Last contact", isText: true, sortKey: "contact"),
                .init("Power", isText: true), .init("Budget", sortKey: "budget"),
                .init("Agent", isText: true), .init("Labels", isText: true),
            ])
        table.isStacked = true
        table.sorting = sorting.ofTable
        for device in sorted(found, by: sorting, fleet) {
            let can = device.capabilities
            table.add([
                .init(Link("fleet", device.id.text).to(device.id.text)),
                .init(Link("stores", device.store.text).to(device.store.text)),
                .init(DeviceText.status(device)), .init(DeviceText.runs(device, fleet)),
                .init(Figure.age(device.lastSeenAt, now: visit.now)),
                .init(can.map(DeviceText.power) ?? ""),
                .init(can.map { PageText.bytes($0.modelMemoryBudgetBytes) } ?? "n/a"),
                .init(can?.agentVersion ?? ""),
                .init(device.effectiveLabels.map(\.text).joined(separator: " ")),
            ])
        }
        let counts = DeviceStatus.allCases.map { one in
            let count = fleet.devices.count { $0.status == one }
            return "\(count) \(one.rawValue)"
        }.joined(separator: ", ")
        let choices: [Markup] = ([nil] + DeviceStatus.allCases.map(Optional.some)).map { one in
            let link = Link("fleet", query: one.map { [("status", $0.rawValue)] } ?? [])
            let current: Markup = one == status ? " aria-current=\"true\"" : .empty
            return "<a href=\"\(link.text)\"\(current)>\(one?.rawValue ?? "all")</a>\n"
        }
        var page = Page("Fleet", in: .fleet)
        page.scope = "\(Figure.count(fleet.devices.count, "device")): \(counts)"
        page.command = "shelfcast-hub device list"
        page.body = """
            <nav class="ranges" aria-label="Status">\(choices)</nav>
            \(SearchField(path: Link("fleet"), label: "Search devices, or battery<30", text: search, kept: kept).markup)
            \(found.isEmpty
                ? "<p class=\"note\">No device is like that. <code>shelfcast-hub token create</code> lets one in.</p>"
                : table.markup)
            """
        return page
    }

    private static func matches(
        _ device: DeviceRecord, _ search: String, _ fleet: ReportFleet
    ) -> Bool {
        guard !search.isEmpty else { return true }
        // `power=battery battery<30`, as rollouts select; what is no selector is searched for as it stands.
        if search.contains(where: { "=<>".contains($0) }), let selector = try? Selector(search) {
            return selector.matches(device)
        }
        return holds(device, search, fleet)
    }

    /// Whether a device has this in what is said of it.
    static func holds(_ device: DeviceRecord, _ search: String, _ fleet: ReportFleet) -> Bool {
        search.isEmpty
            || ([
                device.id.text, "store=\(device.store.text)", DeviceText.runs(device, fleet),
                device.capabilities?.architecture ?? "",
                device.capabilities?.agentVersion ?? "",
            ] + device.effectiveLabels.map(\.text)).contains { $0.contains(search) }
    }

    private static func sorted(
        _ devices: [DeviceRecord], by sorting: ReportSorting, _ fleet: ReportFleet
    ) -> [DeviceRecord] {
        func byText(_ text: (DeviceRecord) -> String) -> [DeviceRecord] {
            let up = devices.sorted { (text($0), $0.id) < (text($1), $1.id) }
            return sorting.isDescending ? up.reversed() : up
        }
        return switch sorting.key {
        case "name": byText(\.id.text)
        case "status": byText(\.status.rawValue)
        case "runs": byText { DeviceText.runs($0, fleet) }
        case "contact":
            sorting.sorted(devices) { $0.lastSeenAt.map { Double($0.millisecondsSince1970) } }
        case "budget":
            sorting.sorted(devices) { $0.capabilities.map { Double($0.modelMemoryBudgetBytes) } }
        // By store, then id, as they come.
        default: sorting.isDescending ? devices.reversed() : devices
        }
    }
}

/// What is said of a device on every page.
enum DeviceText {
    static func status(_ device: DeviceRecord) -> Markup {
        switch (device.status, device.contactLine.copies) {
        case (.revoked, _): PageText.state("revoked", .open)
        case (_, .undecided): PageText.state("copied: all turned away", .bad)
        case (_, .turnedAway): PageText.state("a copy is turned away", .warn)
        case (.pending, .none): PageText.state("pending", .warn)
        case (.approved, .none): PageText.state("approved", .good)
        }
    }

    /// "family/variant", or what else there is to say.
    static func runs(_ device: DeviceRecord, _ fleet: ReportFleet) -> String {
        guard let running = device.running else { return "nothing" }
        guard let package = fleet.package(digest: running.digest) else {
            return "not of this hub: " + PageText.digest(running.digest)
        }
        return "\(package.family)/\(package.variant)"
    }

    /// `battery 80 %`
    static func power(_ can: DeviceCapabilities) -> String {
        let source = can.powerSource == .unknown ? "" : can.powerSource.rawValue
        return source
            + (can.batteryPercent.map { (source.isEmpty ? "" : " ") + "\($0) %" } ?? "")
    }
}
