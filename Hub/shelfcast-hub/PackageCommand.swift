import ArgumentParser
import Compression
import Forecasting
import Foundation
import HubCore
import HubStore
import HubSync
import ModelPackage
import SyncProtocol
import Training

struct PackageCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "package",
        abstract: "Shrink trained families to signed INT8 packages, and list them.",
        subcommands: [PackageBuildCommand.self, PackageListCommand.self])
}

struct PackageBuildCommand: HubCommand {
    static let configuration = CommandConfiguration(
        commandName: "build",
        abstract: "Quantise, pack and sign every variant of a family.",
        discussion: """
            For each variant: one package for each store the family knows, with its items in it, and one
            for any store. Each is proved against its golden vectors before it is signed. All packages
            of one build carry the same release number, higher than any before.

            Example:
              shelfcast-hub package build profile-1
            """)

    @Argument(help: "The family, as 'train' has named it.")
    var family: String
    @Option(help: "Windows to calibrate on, 100 to 500.")
    var calibrationWindows = 256
    @OptionGroup var json: JSONOption
    @OptionGroup var data: DataOptions

    func validate() throws {
        guard Quantizer.windowsRange.contains(calibrationWindows) else {
            throw ValidationError(
                "--calibration-windows is \(Quantizer.windowsRange.lowerBound) to "
                    + "\(Quantizer.windowsRange.upperBound)")
        }
    }

    func perform() async throws {
        let store = try data.openStore()
        guard let record = try await store.family(family) else {
            throw HubStoreError.notFound(what: "family \(family)")
        }
        let trained = try TrainedFamily(encoded: Data(record.trained))
        let last = trained.evaluatedFrom.advanced(by: trained.evaluatedDays - 1)
        let snapshot = try await SalesSnapshot(store, through: last)
        if snapshot.digest != record.snapshotDigest {
            Console.error(
                "shelfcast-hub: the sales up to \(last.iso8601) have changed since \(family) was "
                    + "trained; calibration and figures are on them as they are now")
        }
        Interruption.watch()
        let bar = ProgressBar("package")
        let packed = try await FamilyPackager(
            store: store, data: data, calibrationWindows: calibrationWindows
        ).pack(
            record, trained, snapshot: snapshot,
            progress: { bar.update(Double($0) / Double($1), "\($0) of \($1) packages") },
            isCancelled: { Interruption.hasHappened })
        guard let packed else {
            bar.abandon()
            Console.error("shelfcast-hub: stopped; no package was added")
            throw ExitCode(Interruption.exitStatus)
        }
        let packages = packed.packages
        bar.finish("\(packages.count) packages")
        if json.isOn {
            try Console.printJSON(packages.map(PackageOutput.init))
            return
        }
        Console.print(
            "family \(family), release \(packed.release): \(packages.count) packages, "
                + "\(trained.starts.count) stores and any store, on \(trained.evaluatedDays) days from "
                + trained.evaluatedFrom.iso8601)
        Console.print(
            Self.summary(packages, variants: trained.variants, accuracies: packed.accuracies))
        Console.print("next: shelfcast-hub push \(family) --all")
    }

    /// One row for each variant: INT8 as every store's own package, beside the float network.
    private static func summary(
        _ packages: [PackageRecord], variants: [TrainedVariant], accuracies: [Accuracy]
    ) -> String {
        var table = TextTable([
            ("VARIANT", .left), ("PARAMS", .right), ("FILE", .right), ("ARENA", .right),
            ("WAPE%", .right), ("FLOAT", .right), ("MAPE%", .right), ("FLOAT", .right),
            ("BIAS%", .right), ("FLOAT", .right),
        ])
        let anyStore = packages.filter { $0.store == nil }
        for (package, (variant, accuracy)) in zip(anyStore, zip(variants, accuracies)) {
            let all = packages.filter { $0.variant == package.variant }
            let float = variant.evaluation
            table.add([
                package.variant, "\(package.parameterCount)", range(all.map(\.packageBytes)),
                range(all.map(\.arenaBytes)), Figure.fixed(accuracy.wape, decimals: 2),
                Figure.fixed(float.wape, decimals: 2), Figure.fixed(accuracy.mape, decimals: 2),
                Figure.fixed(float.mape, decimals: 2), Figure.fixed(accuracy.bias, decimals: 2),
                Figure.fixed(float.bias, decimals: 2),
            ])
        }
        return table.text
    }

    private static func range(_ values: [Int]) -> String {
        guard let low = values.min(), let high = values.max() else { return "" }
        return low == high ? "\(low)" : "\(low)-\(high)"
    }
}

struct PackageListCommand: HubCommand {
    static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "List the packages that can be pushed.",
        discussion: """
            WAPE% and MAPE% are the integer model's, on the family's evaluation days of that store.

            Example:
              shelfcast-hub package list --family profile-1 --json
            """)

    @Option(help: "Only of this family.")
    var family: String?
    @OptionGroup var json: JSONOption
    @OptionGroup var data: DataOptions

    func perform() async throws {
        let packages = try await data.openStore().packages(family: family)
        if json.isOn {
            try Console.printJSON(packages.map(PackageOutput.init))
            return
        }
        guard !packages.isEmpty else {
            Console.print("no packages yet; next: shelfcast-hub package build FAMILY")
            return
        }
        var table = TextTable([
            ("RELEASE", .right), ("FAMILY", .left), ("VARIANT", .left), ("STORE", .left),
            ("PARAMS", .right), ("BYTES", .right), ("ARENA", .right), ("WAPE%", .right),
            ("MAPE%", .right), ("DIGEST", .left),
        ])
        for package in packages {
            table.add([
                "\(package.release)", package.family, package.variant,
                package.store?.text ?? "any", "\(package.parameterCount)",
                "\(package.packageBytes)", "\(package.arenaBytes)",
                Figure.fixed(package.wape, decimals: 2), Figure.fixed(package.mape, decimals: 2),
                String(hexadecimal(package.digest).prefix(12)),
            ])
        }
        Console.print(table.text)
    }
}

private struct PackageOutput: Encodable {
    var digest: String
    var family: String
    var variant: String
    @Nullable var store: String?
    var release: UInt64
    var packageBytes: Int
    var arenaBytes: Int
    var parameters: Int
    var requiredFeatures: [String]
    var wapePercent: Double
    var mapePercent: Double
    var biasPercent: Double
    var floatWapePercent: Double
    var floatMapePercent: Double

    init(_ record: PackageRecord) {
        digest = hexadecimal(record.digest)
        family = record.family
        variant = record.variant
        store = record.store?.text
        release = record.release
        packageBytes = record.packageBytes
        arenaBytes = record.arenaBytes
        parameters = record.parameterCount
        requiredFeatures = record.requiredFeatures
        wapePercent = record.wape
        mapePercent = record.mape
        biasPercent = record.bias
        floatWapePercent = record.floatWAPE
        floatMapePercent = record.floatMAPE
    }
}
