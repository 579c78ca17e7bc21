import ArgumentParser
import Forecasting
import Foundation
import HubCore
import HubStore
import HubSync
import HubWeb
import JSONText

struct ModelLineageCommand: HubCommand {
    static let configuration = CommandConfiguration(
        commandName: "lineage",
        abstract: "Show where a family or a package comes from, and where it went.",
        discussion: """
            From the sales to the devices: which data, which seed, which recipe, from whose weights, by which run of the
            autopilot, in which packages, by which rollouts. A package is named by its digest, or the start of it.

            Examples:
              shelfcast-hub model lineage spring
              shelfcast-hub model lineage 3fa9c01b --json
            """)

    private static let digestDigitsMin = 6

    @Argument(
        help: ArgumentHelp("A family's name, or a package's digest.", valueName: "family|digest"))
    var name: String
    @OptionGroup var json: JSONOption
    @OptionGroup var data: DataOptions

    private struct Output: Encodable {
        struct Network: Encodable {
            var variant: String
            var recipe: String
            var seed: UInt64
            var origin: String
            var madeAt: String
            @Nullable var parent: String?
        }
        struct Package: Encodable {
            var digest: String
            var release: UInt64
            var variant: String
            @Nullable var store: String?
        }
        struct Rollout: Encodable {
            var rollout: UInt64
            @Nullable var release: UInt64?
            var selector: String
            var state: String
            var why: String
            var createdAt: String
        }
        var family: String
        var createdAt: String
        var form: String
        var learntThrough: String
        var snapshotDigest: String
        /// Left out: it was made before lineage was kept.
        @Nullable var origin: String?
        @Nullable var data: JSONValue?
        @Nullable var fileDigest: String?
        var networks: [Network]
        var ancestors: [String]
        @Nullable var autopilotRun: JSONValue?
        var packages: [Package]
        var rollouts: [Rollout]
    }

    func perform() async throws {
        let hub = try data.openStore()
        let (family, package) = try await family(in: hub)
        guard var whole = try await hub.lineage(family: family) else {
            throw HubStoreError.notFound(what: "family \(family)")
        }
        if let package {
            whole.packages = [package]
            whole.rollouts = whole.rollouts.filter {
                $0.release == nil || $0.release == package.release
            }
        }
        if json.isOn { return try Console.printJSON(Self.output(whole)) }
        Console.print(Self.text(whole, package))
    }

    private func family(
        in hub: some HubStore
    ) async throws -> (family: String, package: PackageRecord?) {
        if try await hub.families().contains(where: { $0.name == name }) { return (name, nil) }
        let matches = try await hub.packages(family: nil).filter {
            name.count >= Self.digestDigitsMin
                && hexadecimal($0.digest).hasPrefix(name.lowercased())
        }
        guard let only = matches.first, matches.count == 1 else {
            throw CommandFailure(
                .refused,
                matches.isEmpty
                    ? "there is no family and no package '\(name)'; a digest has at least"
                        + " \(Self.digestDigitsMin) digits"
                    : "'\(name)' is the start of \(matches.count) digests; write more of it")
        }
        return (only.family, only)
    }

    private static func output(_ whole: FamilyLineage) -> Output {
        let lineage = whole.family.lineage
        return Output(
            family: whole.family.name, createdAt: FleetText.moment(whole.family.createdAt),
            form: whole.family.form, learntThrough: whole.family.asOf.iso8601,
            snapshotDigest: whole.family.snapshotDigest, origin: lineage?.origin.rawValue,
            data: lineage.map { AutopilotShapes.data.json($0.data) },
            fileDigest: lineage?.fileDigest,
            networks: (lineage?.networks ?? []).map {
                Output.Network(
                    variant: $0.variant, recipe: $0.recipe, seed: $0.seed,
                    origin: $0.origin.rawValue, madeAt: FleetText.moment($0.madeAt),
                    parent: $0.parent)
            },
            ancestors: whole.ancestors.map(\.name),
            autopilotRun: whole.run.map(AutopilotShapes.run.json),
            packages: whole.packages.map {
                Output.Package(
                    digest: hexadecimal($0.digest), release: $0.release, variant: $0.variant,
                    store: $0.store?.text)
            },
            rollouts: whole.rollouts.map {
                Output.Rollout(
                    rollout: $0.id, release: $0.release, selector: $0.selector.text,
                    state: $0.state.rawValue, why: $0.why,
                    createdAt: FleetText.moment($0.createdAt))
            })
    }

    private static func text(_ whole: FamilyLineage, _ package: PackageRecord?) -> String {
        let family = whole.family
        var lines: [String] = []
        if let package {
            lines.append(
                "package \(hexadecimal(package.digest)): \(package.variant) for"
                    + " \(package.store.map { "store \($0.text)" } ?? "any store"), release"
                    + " \(package.release), \(package.packageBytes) bytes")
        }
        lines.append(
            "family \(family.name), \(FleetText.moment(family.createdAt)), form \(family.form), learnt"
                + " through \(family.asOf.iso8601)")
        if let lineage = family.lineage {
            let data = lineage.data
            lines.append("made by: \(lineage.origin.text)")
            lines.append(
                "data: \(data.series) series of \(FleetText.count(data.stores, "store")),"
                    + " \(data.firstDay.iso8601) to \(data.lastDay.iso8601), \(data.importedTotals) totals"
                    + " imported, \(data.uploadedTotals) by devices; left out \(data.closedDays) closed,"
                    + " \(data.outOfStockDays) out of stock; digest \(data.digest)")
            if let digest = lineage.fileDigest { lines.append("file: SHA-256 \(digest)") }
            for network in lineage.networks
            where package == nil || network.variant == package?.variant {
                lines.append(
                    "network: \(network.variant), \(network.recipe), seed \(network.seed), by"
                        + " \(network.origin.text), \(FleetText.moment(network.madeAt))"
                        + (network.parent.map { ", from the weights of \($0)" } ?? ""))
            }
        } else {
            lines.append(
                "made before lineage was kept; sales digest \(family.snapshotDigest), seed \(family.seed)"
            )
        }
        if !whole.ancestors.isEmpty {
            lines.append("follows: " + whole.ancestors.map(\.name).joined(separator: ", "))
        }
        if let run = whole.run {
            lines.append("autopilot run \(run.id): \(run.cause.reason)")
            if let verdict = run.verdict { lines.append("back-test: \(verdict.why)") }
            lines.append("came of it: \(AutopilotText.outcome(run)) \(run.why)")
        }
        if package == nil {
            let releases = Dictionary(grouping: whole.packages, by: \.release)
            for (release, packages) in releases.sorted(by: { $0.key < $1.key }) {
                lines.append("packages: release \(release), \(packages.count)")
            }
        }
        for rollout in whole.rollouts {
            lines.append(
                "rollout \(rollout.id): to \(rollout.selector.text), \(rollout.state.rawValue)"
                    + (rollout.why.isEmpty ? "" : ": \(rollout.why)"))
        }
        return lines.joined(separator: "\n")
    }
}

extension Lineage.Origin {
    fileprivate var text: String {
        switch self {
        case .train: "train"
        case .modelImport: "model import"
        case .compress: "compress run"
        case .search: "compress search"
        case .autopilot: "the autopilot"
        }
    }
}
