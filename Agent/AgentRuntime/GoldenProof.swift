import Forecasting
import ModelPackage

/// What the self-test asks of a package: the one place where it touches the engine.
enum GoldenProof {
    /// Loads the package as for forecasting and proves its golden vectors, with each kernel set by itself.
    /// - Returns: how many golden vectors there are.
    static func prove(
        _ content: [UInt8], with sets: [KernelSet]
    ) throws(GoldenFailure) -> Int {
        var count = 0
        for kernels in sets {
            count = 0
            do {
                let engine = try Engine(content, budgetBytes: .max, kernels: kernels)
                try engine.proveGoldenVectors(of: content) { _ in count += 1 }
            } catch { throw GoldenFailure(kernels: kernels, error: error) }
        }
        return count
    }
}

/// A package that does not give here what the hub said it gives.
struct GoldenFailure: Error, Equatable {
    var kernels: KernelSet
    var error: EngineError
}
