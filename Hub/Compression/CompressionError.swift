package import Forecasting
package import ModelPackage

/// Why a network could not be compressed, or no package be made of it.
package enum CompressionError: Error, Equatable, Sendable {
    /// Outside `Quantizer.windowsRange`: too little to know the ranges from, or needlessly much.
    case calibrationWindows(count: Int)
    /// A window that is not `spec.windowValues` long, or that is not finite.
    case calibrationWindow(index: Int)
    /// A parameter that is not finite: training diverged.
    case parameterNotFinite(index: Int)
    /// A row of weights, or a bias, far outside what a trained network has; a scalar outside 0...1.
    case parameterTooLarge(IntegerTensor, row: Int)
    /// A parameter whose half-precision form is infinite.
    case parameterBeyondHalf(index: Int)
    /// A share of weights to prune that is not above 0 and below 1.
    case sparsity(Double)
    /// What weights or units are ranked by has another count than they have, or a value that is no number.
    case scores(found: Int, expected: Int)
    case scoreNotFinite(index: Int)
    /// Hidden units to keep: not at least one, not fewer than there are, or one named twice or unknown.
    case unitsKept(Int, of: Int)
    /// A codebook outside `Codebook.entriesRange`.
    case codebookEntries(Int)
    /// A rank that is not at least 1 and below the kernel's own.
    case rank(Int, of: IntegerTensor, full: Int)
    /// A share of a kernel's energy to keep that is not above 0 and below 1.
    case energyShare(Double)
    case unknownVariant(Int, variants: Int)
    case unknownStore(StoreID)
    /// More items or profiles than a package holds, a text too long: what the format cannot say.
    case notPackable(PackageError)
    /// The finished package did not run here: a defect of ours, found before a device could.
    case notRunnable(EngineError)
}

extension CompressionError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .calibrationWindows(let count):
            "the calibration set has \(count) windows, \(Quantizer.windowsRange.lowerBound) to "
                + "\(Quantizer.windowsRange.upperBound) are needed: train on more days or series"
        case .calibrationWindow(let index):
            "calibration window \(index) has another length than the features, or a value that is no number"
        case .parameterNotFinite(let index):
            "parameter \(index) is not a finite number: training has diverged, train again more slowly"
        case .parameterTooLarge(let tensor, let row):
            "row \(row) of the \(tensor.name) is too large for the integer network: train again more slowly"
        case .parameterBeyondHalf(let index):
            "parameter \(index) is beyond half precision, which ends at 65504: train again more slowly"
        case .sparsity(let share):
            "a sparsity of \(share * 100) % prunes nothing or all: it must be above 0 % and below 100 %"
        case .scores(let found, let expected):
            "\(found) scores were given to rank \(expected) weights or units by"
        case .scoreNotFinite(let index):
            "score \(index) is not a finite number, so nothing can be ranked by it"
        case .unitsKept(let kept, let units):
            "\(kept) of \(units) hidden units cannot be kept: name at least 1 and at most \(units - 1), each once"
        case .codebookEntries(let entries):
            "a codebook of \(entries) entries: it must have \(Codebook.entriesRange.lowerBound) to "
                + "\(Codebook.entriesRange.upperBound)"
        case .rank(let rank, let tensor, let full):
            "rank \(rank) of the \(tensor.name): it must be 1 to \(full - 1), below the kernel's own \(full)"
        case .energyShare(let share):
            "an energy share of \(share * 100) %: it must be above 0 % and below 100 %"
        case .unknownVariant(let variant, let variants):
            "there is no variant \(variant), the family has \(variants)"
        case .unknownStore(let store): "the family was not trained on store \(store.text)"
        case .notPackable(let error): "the package format cannot say it: \(error)"
        case .notRunnable(let error): "the finished package does not run: \(error)"
        }
    }
}

extension IntegerTensor {
    /// In messages.
    package var name: String {
        switch self {
        case .inputSteps: "input steps"
        case .inputKernel: "input kernel"
        case .inputMultipliers: "input multipliers"
        case .recurrentKernel: "recurrent kernel"
        case .recurrentMultipliers: "recurrent multipliers"
        case .bias: "bias"
        case .denseKernel: "dense kernel"
        case .denseBias: "dense bias"
        case .scalars: "scalars"
        }
    }
}
