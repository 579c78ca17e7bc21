import ArgumentParser
import Compression
import Crypto
import Forecasting
import Foundation
import HubCore
import HubStore
import HubSync
import ModelExchange
import Training

struct ModelImportCommand: HubCommand {
    static let configuration = CommandConfiguration(
        commandName: "import",
        abstract: "Make a family of a network that was trained elsewhere.",
        discussion: """
            The file is an ONNX model as PyTorch, Keras (tf2onnx) or 'model export' writes it: one LSTM
            or GRU, forward, and one dense output on its last state. Gate orders and biases are
            converted, and the network is taken only when it computes what the file computes.

            Levels, scales and profiles come from the hub's sales, and the figures are of its days, so
            the network must have been trained on windows as the form makes them: Docs/onnx.md says how.
            With --test-from, the figures are of the days from there on.

            Examples:
              shelfcast-hub model import lstm.onnx --form plain --window 14 --name elsewhere
              shelfcast-hub model import gru.onnx --form profile --inputs none
              shelfcast-hub model import spring.onnx
            """)

    @Argument(help: ArgumentHelp("The ONNX file.", valueName: "file"))
    var file: String
    @Option(help: "plain, calendar or profile (default: as the file says, else plain).")
    var form: FormArgument?
    @Option(
        help: ArgumentHelp(
            "Columns beside demand, \(FeatureInputs.allNames), or none (default: the form's).",
            valueName: "list"))
    var inputs: InputsArgument?
    @Option(help: "Days the network sees (default: as the file says, else 14).")
    var window: Int?
    @Option(help: ArgumentHelp("Show the figures of the days from here on.", valueName: "date"))
    var testFrom: BusinessDay?
    @Option(help: "The family's name (default: the form and a number).")
    var name: String?
    @OptionGroup var json: JSONOption
    @OptionGroup var data: DataOptions

    func validate() throws {
        if let name, !FamilyName.isValid(name) {
            throw ValidationError(
                "--name is 1 to 64 letters, digits, '.', '_' and '-', beginning with a letter or digit"
            )
        }
        if let window, !FeatureSpec.windowRange.contains(window) {
            throw ValidationError(
                "--window is \(FeatureSpec.windowRange.lowerBound) to "
                    + "\(FeatureSpec.windowRange.upperBound)")
        }
    }

    func perform() async throws {
        let store = try data.openStore()
        let existing = Set(try await store.families().map(\.name))
        if let name, existing.contains(name) {
            throw HubStoreError.alreadyExists(what: "family \(name)")
        }
        let start = ContinuousClock.now
        let reading = try read()
        let plan = reading.plan
        let imported: ImportedNetwork
        let snapshot = try await SalesSnapshot(store, through: nil)
        guard !snapshot.series.isEmpty else {
            throw CommandFailure(
                .refused,
                "there are no sales to take levels from; first: shelfcast-hub sales import FILE")
        }
        let family: TrainedFamily
        do {
            let session = try TrainingSession(series: snapshot.series, plan: plan)
            guard reading.spec == nil || reading.spec?.output == session.spec.output else {
                throw CommandFailure(
                    .refused,
                    "\(file): its output means something else than that of the form "
                        + plan.form.name)
            }
            let missing = plan.inputs.intersection(.planned).subtracting(session.spec.inputs)
            guard missing.isEmpty else {
                throw CommandFailure(
                    .refused,
                    "\(file): its network sees \(missing.names), of which these sales and their calendar tell "
                        + "nothing: import the calendar it was trained with, or a network without")
            }
            imported = reading.imported.fitted(to: session, inputs: plan.inputs)
            family = imported.family(session)
        } catch let error as TrainingError {
            throw CommandFailure(.refused, error.explanation)
        }
        guard testFrom == nil || family.variants.allSatisfy({ $0.test != nil }) else {
            throw CommandFailure(
                .refused,
                "--test-from leaves no day to test on: the last known day is \(family.asOf.iso8601)"
            )
        }
        let name = name ?? FamilyName.free(form: plan.form, taken: existing)
        let summary = FamilySummary(
            name: name, family: family, snapshot: snapshot, window: imported.window,
            seconds: (ContinuousClock.now - start) / .seconds(1))
        try await store.saveFamily(
            FamilyRecord(
                name: name, createdAt: .now, form: plan.form.name,
                snapshotDigest: snapshot.digest, seed: family.seed, asOf: family.asOf,
                summary: try summary.json(), trained: [UInt8](try family.encoded()),
                lineage: snapshot.lineage(
                    .modelImport, family, at: .now, fileDigest: reading.fileDigest)))
        if json.isOn { return try Console.printJSON(summary) }
        Console.print(
            "found \(imported.origin): \(imported.parameters.units) units, "
                + "\(reading.imported.parameters.inputWidth) inputs a day, \(imported.window) days; "
                + "equal to the file within \(imported.differenceMax)")
        if imported.parameters.inputWidth < reading.imported.parameters.inputWidth {
            Console.print(
                "its column 'persistence' is left out: these items do not differ in it, and it is 0 for"
                    + " all of them")
        }
        Console.print(summary.text)
        Console.print("next: shelfcast-hub package build \(name)")
    }

    /// What the file holds, and the plan of the session it is measured in.
    private struct Reading {
        var imported: ImportedNetwork
        var plan: TrainingPlan
        /// The file's own description.
        var spec: FeatureSpec?
        /// SHA-256, in hexadecimal.
        var fileDigest: String
    }

    private func read() throws -> Reading {
        let bytes = try readBytes()
        do throws(ExchangeError) {
            let model = try ONNXModel(decoding: bytes)
            let spec = model.spec
            let form = self.form?.form ?? spec?.form ?? .plain
            guard spec == nil || spec?.form == form else {
                throw .notOurs(
                    reason: "the file says that its form is \(spec?.form.name ?? "")",
                    advice: "leave out --form")
            }
            let imported = try NetworkImport.network(in: model, window: window ?? spec?.window)
            var plan = TrainingPlan(form: form, units: [], testFrom: testFrom)
            plan.window = imported.window
            // A file that says nothing of its inputs was not trained by this hub's calendar.
            plan.inputs = inputs?.inputs ?? spec?.inputs ?? plan.inputs.subtracting(.planned)
            guard spec == nil || spec?.inputs == plan.inputs else {
                throw .notOurs(
                    reason: "the file says that its inputs are \(spec?.inputs.names ?? "")",
                    advice: "leave out --inputs")
            }
            try imported.check(form: form, inputs: plan.inputs)
            return Reading(
                imported: imported, plan: plan, spec: spec,
                fileDigest: hexadecimal(SHA256.hash(data: bytes)))
        } catch {
            throw CommandFailure(.refused, "\(file): \(error.explanation)")
        }
    }

    /// A byte more than is read at most tells that there are too many.
    private func readBytes() throws -> [UInt8] {
        do {
            let handle = try FileHandle(forReadingFrom: URL(filePath: file))
            defer { try? handle.close() }  // it was only read
            return [UInt8](try handle.read(upToCount: ONNXModel.fileBytesMax + 1) ?? Data())
        } catch {
            throw CommandFailure(.failed, "cannot read \(file): \(fileProblem(error))")
        }
    }
}
