import ArgumentParser
import Compression
import Forecasting
import Foundation
import HubCore
import HubStore
import ModelPackage
import Training

struct CompressAdviseCommand: HubCommand {
    static let configuration = CommandConfiguration(
        commandName: "advise",
        abstract: "Say which technique to choose when, measured on a family's own sales.",
        discussion: """
            Every technique is tried by itself on the family's network, trained anew, and compared with
            its plainest INT8: file, memory, time, WAPE. First come those that make it smaller at no
            loss, last those that only promise to. Then what the whole system costs: which devices of
            this hub can run it, and what another runtime would need.

            Example:
              shelfcast-hub compress advise spring --variant profile-8
            """)

    @Argument(help: "The family, as 'train' has named it.")
    var family: String
    @Option(help: "The variant whose network is taken (default: the family's first).")
    var variant: String?
    @Option(help: "Another seed, other weights (default: the family's).")
    var seed: UInt64?
    @OptionGroup var json: JSONOption
    @OptionGroup var data: DataOptions

    private struct Output: Encodable {
        struct Technique: Encodable {
            var name: String
            var recipe: String
            var verdict: String
            var figures: StepJSON
        }
        var family: String
        var network: String
        var evaluatedFrom: String
        var evaluatedDays: Int
        var techniques: [Technique]
        var onnxBytes: Int
        var devices: Int
        var devicesThatCanRun: Int
    }

    func perform() async throws {
        let store = try data.openStore()
        let bench = try await FamilyWorkbench(family, in: store)
        let shape = try bench.variant(named: variant).parameters.shape
        let network = Architecture(cell: shape.cell, units: shape.units)
        Interruption.watch()
        let bar = ProgressBar("advise")
        let findings: [Advice.Finding]
        do {
            findings = try Advice.findings(
                workbench: bench.workbench, network: network, seed: seed ?? bench.trained.seed,
                progress: { bar.update($0, $1) }, isCancelled: { Interruption.hasHappened })
        } catch TrainingError.cancelled {
            bar.abandon()
            Console.error("shelfcast-hub: stopped")
            throw ExitCode(Interruption.exitStatus)
        } catch {
            bar.abandon()
            throw CommandFailure(compression: error)
        }
        bar.finish("\(findings.count) techniques")
        guard let base = findings.first else { return }
        let needs = Set(
            Engine.requiredFeatures(for: shape.cell, inputs: bench.trained.spec.inputs))
        let devices = try await store.devices(store: nil).compactMap(\.capabilities)
        let able = devices.filter {
            needs.isSubset(of: $0.runtimeFeatures)
                && UInt64(base.figures.arenaBytes) <= $0.modelMemoryBudgetBytes
        }.count
        let floatBytes = 4 * base.figures.parameters
        if json.isOn {
            return try Console.printJSON(
                Output(
                    family: family, network: network.name,
                    evaluatedFrom: bench.trained.evaluatedFrom.iso8601,
                    evaluatedDays: bench.trained.evaluatedDays,
                    techniques: findings.map {
                        Output.Technique(
                            name: $0.technique.name, recipe: $0.technique.recipe,
                            verdict: "\($0.verdict)",
                            figures: StepJSON(
                                step: $0.technique.recipe, $0.figures, remarks: $0.remarks))
                    }, onnxBytes: floatBytes, devices: devices.count, devicesThatCanRun: able))
        }
        Console.print(text(findings, network: network, bench: bench))
        Console.print(
            """
            whole system: every row runs on the agent's own engine, which is in the agent already: \
            \(base.figures.fileBytes) bytes of file and \(base.figures.arenaBytes) of memory are all it costs.
            As float for another runtime the weights alone are \(floatBytes) bytes, and that runtime comes on top \
            (Docs/compression.md has figures).
            """)
        if !devices.isEmpty {
            Console.print(
                "devices of this hub that can run \(network.name) as INT8: \(able) of \(devices.count)"
            )
        }
    }

    private func text(
        _ findings: [Advice.Finding], network: Architecture, bench: FamilyWorkbench
    ) -> String {
        var table = TextTable([
            ("TECHNIQUE", .left), ("PAYLOAD", .right), ("FILE", .right), ("ARENA", .right),
            ("TIME", .right),
            ("WAPE%", .right), ("CHANGE", .right), ("SAVES", .right), ("ADVICE", .left),
        ])
        let base = findings[0].figures
        for finding in findings {
            let figures = finding.figures
            let change = (figures.integer.wape ?? .nan) - (base.integer.wape ?? .nan)
            let saved = 100 * (1 - Double(figures.payloadBytes) / Double(base.payloadBytes))
            let advice =
                switch finding.verdict {
                case .base: "what the others are compared with"
                case .take: "take it: smaller at no loss"
                case .better: "take it: more accurate for its bytes"
                case .trade: "where bytes count more than error"
                case .leave: "leave it: no smaller in practice"
                }
            table.add([
                finding.technique.name, "\(figures.payloadBytes)", "\(figures.fileBytes)",
                "\(figures.arenaBytes)",
                LatencyText(nanoseconds: figures.nanoseconds).description,
                Figure.fixed(figures.integer.wape, decimals: 2),
                finding.verdict == .base
                    ? "" : (change >= 0.005 ? "+" : "") + Figure.fixed(change, decimals: 2),
                finding.verdict == .base ? "" : Figure.fixed(saved, decimals: 0) + "%",
                advice + (finding.remarks.contains("slower in practice") ? "; slower" : ""),
            ])
        }
        return """
            \(network.name) on family \(family), \(bench.trained.evaluatedDays) days from \
            \(bench.trained.evaluatedFrom.iso8601); changes below \(Advice.noise) points are noise
            \(table.text)
            """
    }
}
