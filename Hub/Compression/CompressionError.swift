package import Forecasting
package import ModelPackage

/// Why no package could be made.
package enum CompressionError: Error, Equatable, Sendable {
    /// Outside `Quantizer.windowsRange`: too little to know the ranges from, or needlessly much.
    case calibrationWindows(count: Int)
    /// A window that is not `spec.windowValues` long, or that is not finite.
    case calibrationWindow(index: Int)
    /// A parameter that is not finite: training diverged.
    case parameterNotFinite(index: Int)
    /// A row of weights, or a bias, far outside what a trained network has; a scalar outside 0...1.
    case parameterTooLarge(IntegerTensor, row: Int)
    case unknownVariant(Int, variants: Int)
    case unknownStore(StoreID)
    /// More items or profiles than a package holds, a text too long: what the format cannot say.
    case notPackable(PackageError)
    /// The finished package did not run here: a defect of ours, found before a device could.
    case notRunnable(EngineError)
}
