import Forecasting
import HTTPTypes
import HubCore
import HubStore
import JSONText

/// Families of models, their packages, and where both come from.
enum ModelRoutes {
    struct Family: Sendable {
        var record: FamilyRecord
        var packages: [PackageRecord]
    }

    static let family = Shape<Family>(
        "Family", "One training run: models of several sizes.",
        [
            .init("name", .text(.plain(1...64, example: "spring")), "Its name.") {
                .string($0.record.name)
            },
            .text("form", "plain, calendar or profile.", "profile") { $0.record.form },
            .moment("createdAt", "When it was made.") { $0.record.createdAt },
            .wordIfAny(
                "origin", "What made it; null: it was made before that was kept.",
                Lineage.Origin.allCases.map(\.rawValue)
            ) { $0.record.lineage?.origin.rawValue },
            .day("learntThrough", "It learnt from days up to this one.") { $0.record.asOf },
            .count("variants", "Sizes that were packed.", 3) {
                Set($0.packages.map(\.variant)).count
            },
            .count("packages", "Packages, of all releases.", 12) { $0.packages.count },
            .countIfAny("packageBytesMin", "The smallest variant's largest package.", 339) {
                ModelPoint.points(of: $0.packages).map(\.bytes).min()
            },
            .countIfAny("packageBytesMax", "The largest variant's largest package.", 574) {
                ModelPoint.points(of: $0.packages).map(\.bytes).max()
            },
            .numberIfAny("wapePercent", "The best variant's, on days it never learnt from.") {
                ModelPoint.points(of: $0.packages).map(\.wape).min()
            },
        ])

    static let point = Shape<ModelPoint>(
        "Variant", "One variant's newest release, over all stores' packages.",
        [
            .text("variant", "Its name.", "profile-4") { $0.name },
            .count("release", "Its newest release.", 3) { $0.release },
            .count("parameters", "Of the network.", 79) { $0.parameterCount },
            .count("packageBytes", "Of the largest store's package.", 574) { $0.bytes },
            .count("arenaBytes", "The memory it takes, at most.", 1_240) { $0.arenaBytes },
            .number("wapePercent", "As integers, over all stores, on days it never learnt from.") {
                $0.wape
            },
            .number("floatWapePercent", "Of the network before it was made of integers.", 12.61) {
                $0.floatWAPE
            },
            .number("mapePercent", "As integers.", 13.4) { $0.mape },
            .number("biasPercent", "As integers.", 0.6) { $0.bias },
            .numberIfAny("ownWapePercentMin", "Of the stores' own packages: the best.", 11.2) {
                $0.ownWAPE.min()
            },
            .numberIfAny("ownWapePercentMax", "Of the stores' own packages: the worst.", 14.9) {
                $0.ownWAPE.max()
            },
            .count("packages", "Of this release.", 4) { $0.packages },
            .texts("requiredFeatures", "What a device needs.", ["lstm-int8-v2"]) {
                $0.requiredFeatures
            },
            .flag("isOnFront", "Nothing of the family is both smaller and better.") {
                $0.isOnFront
            },
        ])

    static let forecaster = Shape<FamilyCard.Row>(
        "Forecaster", "A forecaster on the family's evaluation days, one day ahead, as floats.",
        [
            .text("name", "A variant, or a plain forecaster.", "seasonal naive") { $0.name },
            .countIfAny("parameters", "null: it has none.", 79) { $0.parameters },
            .count("forecasts", "Compared.", 4_200) { $0.forecasts },
            .numberIfAny("wapePercent", "Sum of errors over sum of sales.", 18.8) {
                $0.wapePercent
            },
            .numberIfAny("biasPercent", "Above 0: too much.", 0.1) { $0.biasPercent },
            .numberIfAny("mapePercent", "Days without sales left out.", 19.2) { $0.mapePercent },
            .count("excludedZeroActuals", "Days without sales.", 12) { $0.excludedZeroActuals },
            .numberIfAny("smapePercent", "0 to 200.", 18.1) { $0.symmetricMapePercent },
        ])

    static let card = Shape<FamilyCard>(
        "Card", "What training measured, on days the family never learnt from.",
        [
            .text("evaluatedFrom", "The first of these days.", "2024-10-01") { $0.evaluatedFrom },
            .count("evaluatedDays", "How many there are.", 92) { $0.evaluatedDays },
            .count("stores", "Learnt from.", 3) { $0.stores },
            .count("series", "Items of stores.", 24) { $0.series },
            .count("seriesDays", "Their days.", 17_520) { $0.seriesDays },
            .shapes("variants", "The family's.", forecaster, countMax: 1_000) { $0.variants },
            .shapes("baselines", "Plain forecasters on the same days.", forecaster, countMax: 100) {
                $0.baselines
            },
        ])

    static let network = Shape<Lineage.Network>(
        "Network", "How one variant was made.",
        [
            .text("variant", "Its name.", "profile-4") { $0.variant },
            .text("recipe", "Step by step.", "lstm4 | qat int8") { $0.recipe },
            .count("seed", "What its randomness follows from.", 1) { $0.seed },
            .word("origin", "What made it.", Lineage.Origin.allCases.map(\.rawValue)) {
                $0.origin.rawValue
            },
            .moment("madeAt", "When.") { $0.madeAt },
            .textIfAny(
                "parent", "The family whose weights it began with; null: nobody's.", "winter"
            ) {
                $0.parent
            },
        ])

    struct Whole: Sendable {
        var found: FamilyLineage
        var running: [String: Int]
    }

    struct Running: Sendable {
        var variant: String
        var devices: Int
    }

    static let whole = Shape<Whole>(
        "Model",
        "A family: what it costs in bytes and in error, what it was made of, where it went.",
        [
            .shape("family", "The family.", family) {
                Family(record: $0.found.family, packages: $0.found.packages)
            },
            .shapes("variants", "The smallest first.", point, countMax: 1_000) {
                ModelPoint.points(of: $0.found.packages)
            },
            .shapes(
                "runningOn", "Approved devices that run each variant.",
                Shape<Running>(
                    "RunningVariant", "Where a variant runs.",
                    [
                        .text("variant", "Its name.", "profile-4") { $0.variant },
                        .count("devices", "Approved devices.") { $0.devices },
                    ]), countMax: 1_000
            ) { whole in
                whole.running.sorted { $0.key < $1.key }.map {
                    Running(variant: $0.key, devices: $0.value)
                }
            },
            .shapeIfAny("card", "What training measured; null: it was not trained here.", card) {
                FamilyCard($0.found.family.summary)
            },
            .text("snapshotDigest", "SHA-256 of the sales it learnt from.", APIText.digest.example)
            {
                $0.found.family.snapshotDigest
            },
            .count("seed", "What its randomness follows from.", 1) { $0.found.family.seed },
            .shapeIfAny(
                "data", "What it learnt from; null: it was made before that was kept.",
                AutopilotShapes.data
            ) { $0.found.family.lineage?.data },
            .textIfAny(
                "fileDigest", "SHA-256 of the file it was imported from.", APIText.digest.example
            ) {
                $0.found.family.lineage?.fileDigest
            },
            .shapes("networks", "How each variant was made.", network, countMax: 1_000) {
                $0.found.family.lineage?.networks ?? []
            },
            .texts(
                "ancestors", "Families whose weights it began with, the nearest first.", ["winter"]
            ) {
                $0.found.ancestors.map(\.name)
            },
            .countIfAny("autopilotRun", "The run of the autopilot that made it.", 5) {
                $0.found.run?.id
            },
            .shapes("rollouts", "Where it was pushed.", RolloutRoutes.rollout) {
                $0.found.rollouts
            },
        ])

    static let package = Shape<PackageRecord>(
        "Package", "The file that a device receives.",
        [
            .digest("digest", "SHA-256 of the file.") { $0.digest },
            .text("family", "Of this family.", "spring") { $0.family },
            .text("variant", "Of this variant.", "profile-4") { $0.variant },
            .textIfAny("store", "For this store; null: for any.", "12") { $0.store?.text },
            .count("release", "Of one build.", 3) { $0.release },
            .count("packageBytes", "Its size.", 574) { $0.packageBytes },
            .count("arenaBytes", "The memory it takes.", 1_240) { $0.arenaBytes },
            .count("parameters", "Of the network.", 79) { $0.parameterCount },
            .texts("requiredFeatures", "What a device needs.", ["lstm-int8-v2"]) {
                $0.requiredFeatures
            },
            .number("wapePercent", "As integers, on the family's evaluation days.") { $0.wape },
            .number("mapePercent", "The same.", 13.4) { $0.mape },
            .number("biasPercent", "The same.", 0.6) { $0.bias },
            .number("floatWapePercent", "Of the network it was made from, over all stores.", 12.61)
            {
                $0.floatWAPE
            },
            .number("floatMapePercent", "The same.", 13.4) { $0.floatMAPE },
            .moment("createdAt", "When it was built.") { $0.createdAt },
        ])

    static let routes: [APIRoute] = [
        .list(
            "/models", "listModels", .models, "Families of models, the newest first", shape: family
        ) {
            call in
            let packages = Dictionary(
                grouping: try await call.store.packages(family: nil), by: \.family)
            let page = try call.page(try await call.store.families()) {
                [.falling($0.createdAt.millisecondsSince1970), .text($0.name)]
            }
            return APIPage(
                page.items.map { Family(record: $0, packages: packages[$0.name] ?? []) },
                next: page.next)
        },
        .one(
            "/models/{family}", "getModel", .models,
            "A family: its variants, what training measured, where it comes from and where it went",
            shape: whole
        ) { call in
            let name = call.part("family")
            guard let found = try await call.store.lineage(family: name) else {
                throw APICall.nothing("family", name)
            }
            return Whole(
                found: found,
                running: ModelPage.running(of: name, try await call.store.reportFleet()))
        },
        .list(
            "/packages", "listPackages", .models, "Packages, the newest release first",
            query: [
                .init("family", .text(.family), "Only of this family."),
                .init("store", .text(.store), "Only for this store."),
            ], shape: package
        ) { call in
            let store: StoreID? = try call.wanted("store")
            let packages = try await call.store.packages(family: call.text("family")).filter {
                store == nil || $0.store == store
            }
            return try call.page(packages) {
                [
                    .falling(Int64(clamping: $0.release)), .text($0.variant),
                    .text($0.store?.text ?? ""),
                    .text(DeviceMeasurement.text(digest: $0.digest)),
                ]
            }
        },
        .one(
            "/packages/{package}", "getPackage", .models, "A package, by its digest", shape: package
        ) {
            call in
            let text = call.part("package")
            guard APIText.digest.fault(of: text) == nil,
                let found = try await call.store.packages(family: nil).first(where: {
                    DeviceMeasurement.text(digest: $0.digest) == text
                })
            else { throw APICall.nothing("package", text) }
            return found
        },
    ]
}
