import ArgumentParser
import Compression
import Forecasting
import Foundation
import HubCore
import HubStore
import Training

struct TrainCommand: HubCommand {
    static let configuration = CommandConfiguration(
        commandName: "train",
        abstract: "Train a family of forecasters on the hub's sales.",
        discussion: """
            A family has one variant for each number of LSTM units. Forms: plain (lagged sales alone),
            calendar (with weekday and month beside them), profile (corrects level x weekday x month;
            the smallest for its accuracy). The same sales, options and seed give the same weights.

            With --test-from, the days from there on are kept out of training and early stopping, and the
            figures are those of these days; without it they are those of the validation days.
            Ctrl-C stops without a trace.

            Examples:
              shelfcast-hub train --form profile --units 8,4,2
              shelfcast-hub train --form plain --units 64,32,16 --test-from 2017-01-01 --name baseline
            """)

    @Option(help: "plain, calendar or profile.")
    var form: FormArgument = .profile
    @Option(
        help: ArgumentHelp(
            "LSTM units, one variant for each (default: 64,32,16 plain, else 8,4,2).",
            valueName: "list"))
    var units: UnitsList?
    @Option(help: "Days the network sees.")
    var window = 14
    @Option(
        help: ArgumentHelp(
            "Columns beside sales, of \(FeatureInputs.allNames), or none (default: the form's, with holidays and promotions where the calendar has any in the days learnt from).",
            valueName: "list"))
    var inputs: InputsArgument?
    @Option(help: "At most so many passes over the data (default: by the form).")
    var epochs: Int?
    @Option(
        help: ArgumentHelp(
            "What to make small: auto, square, log, mape, poisson (default: by form and data).",
            valueName: "loss"))
    var loss: LossArgument?
    @Option(help: "Another seed, other weights.")
    var seed: UInt64 = 1
    @Option(help: ArgumentHelp("Learn from the days before, test on the rest.", valueName: "date"))
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
        guard FeatureSpec.windowRange.contains(window) else {
            throw ValidationError(
                "--window is \(FeatureSpec.windowRange.lowerBound) to "
                    + "\(FeatureSpec.windowRange.upperBound)")
        }
        if let epochs, !(1...TrainingPlan.epochsMax).contains(epochs) {
            throw ValidationError("--epochs is 1 to \(TrainingPlan.epochsMax)")
        }
        if let units, units.units.count > TrainingPlan.variantsMax {
            throw ValidationError("--units names at most \(TrainingPlan.variantsMax) sizes")
        }
    }

    func perform() async throws {
        let form = self.form.form
        let store = try data.openStore()
        let existing = Set(try await store.families().map(\.name))
        if let name, existing.contains(name) {
            throw HubStoreError.alreadyExists(what: "family \(name)")
        }
        let snapshot = try await SalesSnapshot(store, through: nil)
        guard !snapshot.series.isEmpty else {
            throw CommandFailure(
                .refused, "there are no sales to learn from; first: shelfcast-hub sales import FILE"
            )
        }
        let ends = snapshot.series.map { $0.firstDay.advanced(by: $0.days.count) }
        if let testFrom, let end = ends.max(), testFrom >= end {
            throw CommandFailure(
                .refused,
                "--test-from \(testFrom.iso8601) leaves no day to test on: the last known day is "
                    + end.advanced(by: -1).iso8601)
        }
        var plan = TrainingPlan(
            form: form, units: units?.units ?? (form == .plain ? [64, 32, 16] : [8, 4, 2]),
            seed: seed, testFrom: testFrom)
        plan.window = window
        if let inputs { plan.inputs = inputs.inputs }
        if let epochs { plan.epochs = epochs }
        if let loss { plan.loss = loss.loss }
        let start = ContinuousClock.now
        var family = try fit(snapshot, plan)
        if let inputs {
            for index in family.variants.indices {
                let network = Architecture(
                    cell: .lstm, units: family.variants[index].units, inputs: inputs.inputs)
                family.variants[index].recipe = Recipe(architecture: network, steps: []).text
            }
        }
        let seconds = (ContinuousClock.now - start) / .seconds(1)
        let name = name ?? FamilyName.free(form: form, taken: existing)
        let summary = FamilySummary(
            name: name, family: family, snapshot: snapshot, window: window, seconds: seconds)
        try await store.saveFamily(
            FamilyRecord(
                name: name, createdAt: .now, form: form.name, snapshotDigest: snapshot.digest,
                seed: seed, asOf: family.asOf, summary: try summary.json(),
                trained: [UInt8](try family.encoded()),
                lineage: snapshot.lineage(.train, family, at: .now)))
        if json.isOn {
            try Console.printJSON(summary)
        } else {
            Console.print(summary.text)
            Console.print("next: shelfcast-hub package build \(name)")
        }
    }

    private func fit(_ snapshot: SalesSnapshot, _ plan: TrainingPlan) throws -> TrainedFamily {
        Interruption.watch()
        let bar = ProgressBar("train")
        do {
            let family = try train(
                series: snapshot.series, plan: plan,
                progress: { progress in
                    let done =
                        (Double(progress.variant)
                            + (Double(progress.epoch - 1) + progress.epochFraction)
                                / Double(progress.epochs))
                        / Double(progress.variants)
                    let validation = progress.validationLoss.map {
                        " val \(Figure.fixed($0, decimals: 5))"
                    }
                    bar.update(
                        done,
                        "LSTM-\(progress.units) epoch \(progress.epoch)/\(progress.epochs) loss "
                            + Figure.fixed(progress.loss, decimals: 5) + (validation ?? "")
                            + ", \(ProgressBar.duration(progress.secondsLeft)) left")
                }, isCancelled: { Interruption.hasHappened })
            bar.finish("\(plan.units.count) variants")
            return family
        } catch TrainingError.cancelled {
            bar.abandon()
            Console.error("shelfcast-hub: stopped; nothing was saved")
            throw ExitCode(Interruption.exitStatus)
        } catch let error as TrainingError {
            bar.abandon()
            throw CommandFailure(.refused, error.explanation)
        }
    }
}

enum FamilyName {
    static func isValid(_ name: String) -> Bool {
        guard (1...FamilyRecord.nameBytesMax).contains(name.utf8.count), let first = name.utf8.first
        else { return false }
        func isWord(_ byte: UInt8) -> Bool {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"):
                true
            default: false
            }
        }
        return isWord(first) && name.utf8.allSatisfy { isWord($0) || "._-".utf8.contains($0) }
    }

    static func free(form: ModelForm, taken: Set<String>) -> String {
        var number = 1
        while taken.contains("\(form.name)-\(number)") { number += 1 }
        return "\(form.name)-\(number)"
    }
}

extension Timestamp {
    static var now: Timestamp {
        Timestamp(millisecondsSince1970: Int64(Date().timeIntervalSince1970 * 1000))
    }
}

extension TrainingError {
    var explanation: String {
        switch self {
        case .noSales: "nothing was ever sold before the test days: there is nothing to learn"
        case .duplicateSeries(let store, let item):
            "store \(store.text) has item \(item.text) twice"
        case .daysApart(let days):
            "the first day and the last are \(days) days apart: a date must be wrong"
        case .tooFewWindows(let count, let needed):
            "there are only \(count) training windows, \(needed) are needed: import more days"
        case .plan(let field): "the training option '\(field)' is out of its range"
        case .request(let field):
            "'\(field)' of the network to be trained is out of its range, or does not fit the family"
        case .teacher(let index):
            "teacher \(index + 1) cannot teach here: it has to come from the same sales and the same last "
                + "training day"
        case .diverged(let units, let epoch):
            "training of LSTM-\(units) diverged in epoch \(epoch); try another seed"
        case .cancelled: "stopped"
        }
    }
}
