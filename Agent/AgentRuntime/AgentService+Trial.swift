import AgentCore
import Forecasting
import JSONText
import SyncProtocol

/// A candidate forecasts beside the active package, on the same days and from the same sales, until their errors have told which is
/// better.
extension AgentService {
    /// So long a closed day waits for the store's final total before it is judged by what is known.
    static let judgeAfterDays = 2

    /// Makes the candidate's forecasts of the days to come, and compares it on those that are over. To be called after
    /// whatever may have changed either. Its failing fails nothing else: it is tried again next time.
    func goOnWithTrial() {
        do throws(AgentError) {
            try lookAtWindow()
            guard let candidate = try predictorBeside() else { return }
            try forecastBeside(by: candidate)
            try compareDays()
            // Only now: what its days lead to is part of its work.
            if update.crashes > 0, update.candidateBeside != nil { try step(.wentWell) }
        } catch {
            try? stored { () throws(StoreError) in
                try store.set(.lastError, "the trial of a package did not go on: " + error.text)
            }
        }
    }

    /// The candidate at work, for as long as it is needed.
    private func predictorBeside() throws(AgentError) -> EnginePredictor? {
        guard let candidate = update.candidateBeside else { return nil }
        let kept = try stored { () throws(StoreError) in try store.package(in: update.spare) }
        AtWork.candidate.mark(in: store.directory)
        defer { AtWork.none.mark(in: store.directory) }
        do throws(UnusablePackage) {
            guard let kept, kept.candidate == candidate else {
                throw UnusablePackage(.download("its slot does not hold it any more"))
            }
            return try EnginePredictor.load(
                candidate, content: kept.content, budgetBytes: Int(budgetBytes))
        } catch {
            try step(.failed(error.reason))
            return nil
        }
    }

    /// The first day that a candidate can be compared on: the first of those whose forecasts may still change.
    func firstDayBeside(asOf: BusinessDay) throws(AgentError) -> BusinessDay {
        let first = asOf.advanced(by: 1)
        guard let predictor else { return first }
        return try stored { () throws(StoreError) in max(try nextDay(of: predictor), first) }
    }

    private func forecastBeside(by candidate: EnginePredictor) throws(AgentError) {
        guard let active = predictor, case .trial(_, .beside(_, let since, _)) = update.phase
        else { return }
        try stored { () throws(StoreError) in
            try store.transaction { () throws(StoreError) in
                let targets = try openDays(of: active).filter { $0 >= since }
                guard let first = targets.first, let last = targets.last else { return }
                let plan = try plan(first: first, through: last.advanced(by: -1), by: candidate)
                AtWork.candidate.mark(in: store.directory)
                defer { AtWork.none.mark(in: store.directory) }
                for day in targets {
                    try store.replace(
                        besideForecastsOf: day, by: plan.forecasts(for: day, by: candidate))
                }
            }
        }
    }

    /// Judges the closed days one after the other.
    private func compareDays() throws(AgentError) {
        var isDue = try dayToCompare()
        while let day = isDue {
            try step(.compared(day, try verdict(on: day)))
            isDue = try dayToCompare()
        }
    }

    /// The next closed day whose totals are final, or have been waited for long enough.
    private func dayToCompare() throws(AgentError) -> BusinessDay? {
        guard case .trial(_, .beside(_, _, let through)) = update.phase else { return nil }
        let day = through.advanced(by: 1)
        return try stored { () throws(StoreError) in
            guard let last = try store.lastOwnClose(), last >= day else { return nil }
            let isKnown =
                try store.book(from: day, through: day).isComplete(day)
                || last - day >= Self.judgeAfterDays
            return isKnown ? day : nil
        }
    }

    /// What all days of the trial up to `day` say of the candidate.
    private func verdict(on day: BusinessDay) throws(AgentError) -> DayVerdict {
        guard case .trial(_, .beside(_, let since, _)) = update.phase else { return .silent }
        let (errors, pairsOfDay) = try stored { () throws(StoreError) in
            try pairedErrors(from: since, through: day)
        }
        guard pairsOfDay > 0 else { return .silent }
        switch errors.verdict(looks: max(1, update.terms.trialDays)) {
        case .tooFew, .notWorse: return .notWorse
        case .worse: return .worse(Self.text(errors))
        }
    }

    private func pairedErrors(
        from first: BusinessDay, through last: BusinessDay
    ) throws(StoreError) -> (errors: PairedErrors, ofLastDay: Int) {
        let book = try store.book(from: first, through: last)
        var errors = PairedErrors()
        var ofLastDay = 0
        var current: ItemID?
        try store.eachPair(from: first, through: last) { item, day, active, candidate in
            if item != current {
                errors.endItem()
                current = item
            }
            guard let sold = book.demand(for: item, on: day).observedUnits else { return }
            errors.add(actual: sold, active: active, candidate: candidate)
            if day == last { ofLastDay += 1 }
        }
        errors.endItem()
        return (errors, ofLastDay)
    }

    private static func text(_ errors: PairedErrors) -> String {
        "beside the active package it was worse: its error (WAPE) is "
            + percent(errors.candidateWAPE) + " against " + percent(errors.activeWAPE) + ", over "
            + "\(errors.pairCount) forecasts of \(errors.itemCount) items on the same days"
    }

    private static func percent(_ value: Double?) -> String {
        guard let value, value < 1e6 else { return "unknown" }
        let tenths = Int(value * 10 + 0.5)
        return "\(tenths / 10).\(tenths % 10) %"
    }

    /// For `status`: how the trial stands.
    func trialStatus() throws(StoreError) -> JSONValue {
        switch update.phase {
        case .idle, .fetching, .verified: return .null
        case .trial(_, .proving): return .object([.init("stage", .string("proving"))])
        case .trial(_, .due): return .object([.init("stage", .string("due"))])
        case .trial(_, .beside(let compared, let since, let through)):
            let errors = try pairedErrors(from: since, through: max(since, through)).errors
            return .object([
                .init("stage", .string("beside")), .init("since", .string(since.iso8601)),
                .init("comparedDays", .integer(compared)),
                .init("trialDays", .integer(update.terms.trialDays)),
                .init("wape", Self.figure(errors.candidateWAPE)),
                .init("activeWape", Self.figure(errors.activeWAPE)),
            ])
        }
    }

    private static func figure(_ value: Double?) -> JSONValue {
        value.map { number(Float($0), decimals: 2) } ?? .null
    }

    // MARK: The window

    /// Whether the active package may change now. Where the time of day is not known it waits for it.
    var windowIsOpen: Bool {
        guard let window = update.terms.window else { return true }
        guard let minutes = try? today().minutes else { return false }
        return window.contains(minute: minutes)
    }

    /// A candidate that waits for its window becomes active when that is open.
    package func lookAtWindow() throws(AgentError) {
        guard case .trial(_, .due) = update.phase, windowIsOpen else { return }
        try step(.looked)
    }

    /// Where the time is not known it is asked for again after so long.
    private static let timeRetryMilliseconds: Int64 = 60_000

    /// Milliseconds until `lookAtWindow` is due; nil: nothing waits for a window.
    package var millisecondsToWindow: Int64? {
        guard case .trial(_, .due) = update.phase else { return nil }
        guard let window = update.terms.window else { return 0 }
        guard let minutes = try? today().minutes else { return Self.timeRetryMilliseconds }
        return Int64(window.minutesUntilOpen(from: minutes)) * 60_000
    }
}

extension UpdateTerms {
    /// As the hub states them; what is out of range is taken as the nearest that is not.
    init(_ desired: DesiredState) {
        self.init(
            trialDays: Int(desired.trialDays), nanosecondsMax: desired.latencyMaxNs,
            fetchBytesMax: desired.bytesMax, meteredBytesMax: desired.meteredBytesMax,
            window: desired.windowFrom == desired.windowTo
                ? nil : DayWindow(from: Int(desired.windowFrom), until: Int(desired.windowTo)))
    }
}
