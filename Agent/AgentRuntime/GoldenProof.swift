import Forecasting
import ModelPackage

/// What the self-test asks of a package: the one place where it touches the engine.
enum GoldenProof {
    /// Loads the package as for forecasting and proves its golden vectors; then runs their windows through its network
    /// with each kernel set by itself.
    static func prove(_ package: ModelPackage, with sets: [KernelSet]) throws(GoldenFailure) {
        do {
            try Engine(package, budgetBytes: .max).proveGoldenVectors(of: package)
        } catch { throw GoldenFailure(kernels: .best, error: error) }
        for kernels in sets where kernels != .best {
            do { try prove(package, with: kernels) } catch {
                throw GoldenFailure(kernels: kernels, error: error)
            }
        }
    }

    /// The integer of each golden vector. The units follow from it, whatever the kernel set.
    private static func prove(
        _ package: ModelPackage, with kernels: KernelSet
    ) throws(EngineError) {
        let recurrence = IntegerRecurrence(
            package.network, in: Arena(package.arenaLayout), kernels: kernels)
        let spec = package.manifest.spec
        for index in package.goldenVectors.indices {
            let golden = package.goldenVectors[index]
            var state = SeriesState(
                level: golden.level, scale: golden.level * package.manifest.newItemScale)
            var profile = package.profiles[0]
            if let item = golden.item {
                let start = package.starts[item]
                state = SeriesState(
                    level: golden.level, scale: start.scale, persistence: start.persistence)
                profile = package.profiles[Int(start.profile)]
            }
            let features = FeatureWindow(
                spec: spec, state: state, profile: profile, target: golden.target)
            var values = [Float](repeating: 0, count: spec.windowValues)
            var rows = values.mutableSpan
            features.write(golden.recentDays.span, into: &rows)
            recurrence.load(window: values)
            let found = recurrence.run()
            guard found == golden.networkOutput else {
                throw .goldenOutput(index: index, expected: golden.networkOutput, found: found)
            }
        }
    }
}

/// A package that does not give here what the hub said it gives.
struct GoldenFailure: Error, Equatable {
    var kernels: KernelSet
    var error: EngineError
}
