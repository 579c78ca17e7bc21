package import Forecasting

/// What a store's pairs say of a package in trial there, in words.
package struct StoreVerdict: Hashable, Sendable {
    /// Significantly.
    package var isWorse: Bool
    package var text: String

    /// - Parameter looks: how often the store is judged in all, from 1 up.
    package init(_ errors: PairedErrors, criterion: PairedErrors.Criterion, looks: Int) {
        let figures =
            "WAPE \(Figure.percent(errors.candidateWAPE)) against \(Figure.percent(errors.activeWAPE))"
            + " of what runs, \(errors.pairCount) forecasts of \(errors.itemCount) items"
        switch errors.verdict(criterion, looks: looks) {
        case .worse:
            isWorse = true
            text = figures + ": significantly worse"
        case .notWorse:
            isWorse = false
            text = figures
        case .tooFew:
            isWorse = false
            text = figures + ": too few to judge"
        }
    }
}
