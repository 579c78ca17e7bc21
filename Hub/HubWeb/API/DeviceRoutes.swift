import Forecasting
import HTTPTypes
import HubCore
import HubStore
import JSONText

/// The fleet.
enum DeviceRoutes {
    private static let eventsShown = 100

    /// A device and what is known of the package it runs.
    struct Known: Sendable {
        var device: DeviceRecord
        var package: PackageRecord?

        init(_ device: DeviceRecord, _ fleet: ReportFleet) {
            self.device = device
            package = device.running.flatMap { fleet.package(digest: $0.digest) }
        }
    }

    static let running = Shape<Known>(
        "Running", "The package that a device runs.",
        [
            .digest("digest", "SHA-256 of the package.") { $0.device.running?.digest ?? [] },
            .count("release", "Its release.", 3) { $0.device.running?.release ?? 0 },
            .count("arenaBytes", "The memory it takes.", 1_240) {
                $0.device.running?.arenaBytes ?? 0
            },
            .textIfAny("family", "null: a package of another hub.", "spring") {
                $0.package?.family
            },
            .textIfAny("variant", "null: a package of another hub.", "profile-4") {
                $0.package?.variant
            },
        ])

    static let measuredPackage = Shape<DeviceMeasurement.Package>(
        "MeasuredPackage", "What a device timed of a package on itself.",
        [
            .text("digest", "SHA-256 of the package.", APIText.digest.example) { $0.digest },
            .count("nanoseconds", "Of one forecast alone.", 41_000) { $0.nanoseconds },
            .count("batchNanoseconds", "Of one forecast in a batch of 50.", 22_000) {
                $0.batchNanoseconds
            },
            .count("arenaBytes", "The memory it takes.", 1_240) { $0.arenaBytes },
            .countIfAny("nanojoules", "Of one forecast; null: the device cannot tell.", 5_200) {
                $0.nanojoules
            },
        ])

    static let measurement = Shape<DeviceMeasurement>(
        "Measurement", "What a device timed on itself.",
        [
            .text("kernels", "The vector instructions it computes with.", "avx2") { $0.kernels },
            .count("smallNanoseconds", "Of one forecast of an LSTM-16.", 900) {
                $0.smallNanoseconds
            },
            .count("smallBatchNanoseconds", "The same in a batch of 50.", 700) {
                $0.smallBatchNanoseconds
            },
            .count("largeNanoseconds", "Of one forecast of an LSTM-64.", 4_000) {
                $0.largeNanoseconds
            },
            .count("largeBatchNanoseconds", "The same in a batch of 50.", 3_100) {
                $0.largeBatchNanoseconds
            },
            .count("peakMemoryBytes", "The most memory the agent took.", 3_800_000) {
                $0.peakMemoryBytes
            },
            .shapes(
                "packages", "Packages it ran.", measuredPackage,
                countMax: DeviceMeasurement.packagesMax
            ) { $0.packages },
        ])

    static let capabilities = Shape<DeviceCapabilities>(
        "Capabilities", "What a device is and can do, as it says itself.",
        [
            .text("architecture", "Its kind of CPU.", "aarch64") { $0.architecture },
            .texts("cpuFeatures", "What the CPU can do.", ["neon"]) { $0.cpuFeatures },
            .count("cores", "Of the CPU.", 4) { $0.cores },
            .count("memoryTotalBytes", "Memory.", 1_073_741_824) { $0.memoryTotalBytes },
            .count("memoryAvailableBytes", "Of it, what is free.", 536_870_912) {
                $0.memoryAvailableBytes
            },
            .count("modelMemoryBudgetBytes", "What a model may take.", 2_048) {
                $0.modelMemoryBudgetBytes
            },
            .flag("modelMemoryBudgetSetByOperator", "Else it is derived.") {
                $0.modelMemoryBudgetSetByOperator
            },
            .count("flashFreeBytes", "Free space.", 2_147_483_648) { $0.flashFreeBytes },
            .texts("runtimeFeatures", "What packages may need.", ["lstm-int8-v2"]) {
                $0.runtimeFeatures
            },
            .word("powerSource", "What feeds it.", ["unknown", "mains", "battery"]) {
                $0.powerSource.rawValue
            },
            .wholeIfAny("batteryPercent", "The battery's charge, in percent.", 80) {
                $0.batteryPercent
            },
            .wholeIfAny("temperatureCelsius", "In degrees Celsius.", 31) { $0.temperatureCelsius },
            .word(
                "contact", "Whether it stays connected or visits.",
                ["unspecified", "stay", "visit"]
            ) {
                $0.contact.rawValue
            },
            .text("agentVersion", "Of its agent.", "0.2.0") { $0.agentVersion },
            .shapeIfAny("measured", "What it timed on itself.", measurement) { $0.measured },
        ])

    static let device = Shape<Known>(
        "Device", "One device.",
        [
            .init("id", .text(.device), "The device.") { .string($0.device.id.text) },
            .store { $0.device.store },
            .word("status", "Whether it takes part.", statuses) { $0.device.status.rawValue },
            .word(
                "copies",
                "none; turnedAway: a copy of it came and is turned away; undecided: copies that nothing tells apart, all turned away.",
                ["none", "turnedAway", "undecided"]
            ) { $0.device.contactLine.copies.rawValue },
            .texts("labels", "key=value.", ["kind=scanner"]) {
                $0.device.effectiveLabels.map(\.text)
            },
            .moment("joinedAt", "When it joined.") { $0.device.joinedAt },
            .momentIfAny("lastSeenAt", "When it was last in touch; null: never.") {
                $0.device.lastSeenAt
            },
            .momentIfAny("certificateExpiresAt", "Until when its certificate is good.") {
                $0.device.certificateExpiresAt
            },
            .shapeIfAny("capabilities", "null: it has not registered yet.", capabilities) {
                $0.device.capabilities
            },
            .shapeIfAny("running", "What it runs; null: nothing.", running) {
                $0.device.running == nil ? nil : $0
            },
            .count("storedRecords", "Records of it that the hub keeps.", 5_204) {
                $0.device.throughSequence
            },
        ])

    private static let statuses = DeviceStatus.allCases.map(\.rawValue)

    static let assignment = Shape<AssignmentRecord>(
        "Assignment", "What a device was told to run, and what it said.",
        [
            .count("rollout", "By this rollout.", 4) { $0.rollout },
            .digestIfAny("digest", "SHA-256 of the package; null: nothing fits.") { $0.digest },
            .text("reason", "Why this one, or none.", "the most accurate that fits") { $0.reason },
            .moment("decidedAt", "When it was decided.") { $0.decidedAt },
            .wordIfAny(
                "outcome", "What the device said became of it; null: nothing yet.",
                PackageOutcome.allCases.map(\.rawValue)
            ) { $0.outcome?.rawValue },
            .textIfAny("outcomeReason", "In its words.", "no worse in 7 days") { $0.outcomeReason },
            .momentIfAny("outcomeAt", "When it said so.") { $0.outcomeAt },
        ])

    static let event = Shape<DeviceEvent>(
        "DeviceEvent", "Something that a device said, or that was said to it.",
        [
            .moment("at", "When.") { $0.at },
            .text("kind", "What.", "registered") { $0.kind },
            .text("text", "In words.", "aarch64, 4 cores") { $0.text },
        ])

    struct Whole: Sendable {
        var known: Known
        var assignment: AssignmentRecord?
        var events: [DeviceEvent]
        var figures: ReportShapes.Named
    }

    static let whole = Shape<Whole>(
        "DeviceInFull", "One device: what it is, what it runs and why, how its forecasts do.",
        [
            .shape("device", "The device.", device) { $0.known },
            .shapeIfAny("assignment", "What it was told to run; null: nothing.", assignment) {
                $0.assignment
            },
            .shape("figures", "Of all its forecasts.", ReportShapes.figures) { $0.figures },
            .shapes(
                "events", "Newest first, \(eventsShown) at most.", event, countMax: eventsShown
            ) { $0.events },
        ])

    static let routes: [APIRoute] = [
        .list(
            "/devices", "listDevices", .devices, "Devices by store, then name",
            query: [
                .init("store", .text(.store), "Only of this store."),
                .init("status", .word(statuses), "Only these."),
                .init(
                    "q", .text(.plain(1...100, example: "scanner")),
                    "Only those with this in name, store, package, architecture, version or labels."
                ),
                .init(
                    "where",
                    .text(.plain(1...500, example: "power=battery battery<30")),
                    "Only those that a selector finds, as for a push; also by battery, temperature and flash."
                ),
            ], shape: device
        ) { call in
            let fleet = try await call.store.reportFleet()
            let store: StoreID? = try call.wanted("store")
            let status: DeviceStatus? = call.word("status")
            let selector = try call.text("where").map { text in
                do throws(SelectorError) { return try Selector(text) } catch {
                    throw APIProblem(
                        .badRequest, ReportMarkup.sentence(error.description), at: "query where",
                        "It is key=value[,value...], several separated by blanks.")
                }
            }
            let found = fleet.devices.filter { device in
                (store == nil || device.store == store)
                    && (status == nil || device.status == status)
                    && (selector?.matches(device) ?? true)
                    && FleetPage.holds(device, call.text("q") ?? "", fleet)
            }
            let page = try call.page(found) { [.text($0.store.text), .text($0.id.text)] }
            return APIPage(page.items.map { Known($0, fleet) }, next: page.next)
        },
        .one(
            "/devices/{device}", "getDevice", .devices,
            "A device: what it is, what it runs and why, how its forecasts do", shape: whole, read),
        .change(
            "/devices/{device}/approve", "approveDevice", .devices,
            "Let a device take part, or say that its copies are gone",
            "Approved already, it stays as it is.", shape: whole
        ) { call in
            let device = try await found(call)
            switch device.status {
            case .approved where device.contactLine.copies != .none:
                _ = try await call.store.forgetCopies(of: device.id, at: call.now)
            case .approved: break
            case .revoked:
                throw APIProblem(
                    .conflict, "It was revoked for good.", at: nil,
                    "Let it join again with a new token: shelfcast-hub token create.")
            case .pending:
                _ = try await call.store.setStatus(.approved, of: device.id, at: call.now)
            }
            return try await read(call)
        },
        .change(
            "/devices/{device}/revoke", "revokeDevice", .devices,
            "Throw a device out, for good and at once",
            "What it has sent stays. To bring it back, let it join again. Revoked already, it stays so.",
            body: APIObject(
                name: "Revocation", meaning: "A device that is revoked must join anew.",
                members: [
                    .init(
                        "sure", .flag, "It is lost, sold or broken; only true revokes it.",
                        example: .bool(true))
                ]), canConflict: false, shape: whole
        ) { call in
            let device = try await found(call)
            guard call.body.flag("sure") == true else {
                throw APIBody.unfit(
                    "It is not said for sure.", at: "sure", "Send true: it must join anew then.")
            }
            if device.status != .revoked {
                _ = try await call.store.setStatus(.revoked, of: device.id, at: call.now)
            }
            return try await read(call)
        },
    ]

    private static func found(_ call: APICall) async throws -> DeviceRecord {
        let id: DeviceID = try call.identifier("device")
        guard let device = try await call.store.device(id) else {
            throw APICall.nothing("device", id.text)
        }
        return device
    }

    private static func read(_ call: APICall) async throws -> Whole {
        let device = try await found(call)
        let fleet = try await call.store.reportFleet()
        let line = try await call.store.reportLines(
            .chain, of: ReportSelection(device: device.id), fleet: fleet
        ).first
        return Whole(
            known: Known(device, fleet),
            assignment: try await call.store.assignment(of: device.id),
            events: try await call.store.events(of: device.id, countMax: eventsShown),
            figures: (line, device.id.text))
    }
}
