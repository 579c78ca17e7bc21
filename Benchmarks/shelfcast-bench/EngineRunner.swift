import Forecasting
import ModelPackage

/// One package at work with one kernel set, on windows of the sales it learned from.
final class EngineRunner {
    static let batch = 50
    private let engine: Engine
    private let package: ModelPackage
    /// `[batch, window]`: items in turn, each a few days further on.
    private let days: [DemandDay]
    private let target: BusinessDay
    /// The one whose turn it is.
    private var next = 0
    /// Of all outputs, so that none of them is left out.
    private(set) var checksum: Int64 = 0

    init(
        _ package: ModelPackage, coding: TensorCoding = .smallest, days series: [[DemandDay]],
        kernels: KernelSet = .best
    ) throws {
        self.package = package
        engine = try Engine(package, coding: coding, budgetBytes: .max, kernels: kernels)
        target = engine.asOf.advanced(by: 1)
        let window = engine.spec.window
        days = (0..<Self.batch).flatMap { number in
            let days = series[number % series.count]
            let end = days.count - number
            return Array(days[end - window..<end])
        }
    }

    /// One call for one forecast, of another series every time.
    func single() {
        next = next + 1 == Self.batch ? 0 : next + 1
        let index = next % engine.itemCount
        let (window, days) = (engine.spec.window, days)
        let all = days.span
        let forecast = engine.forecast(
            index: index, level: engine.startLevel(index: index),
            recentDays: all.extracting(next * window..<(next + 1) * window), target: target)
        checksum &+= Int64(forecast.networkOutput)
    }

    /// One call for many.
    /// - Parameter source: where the windows come from, `[count, window]`; nil: the batch's own.
    func batch(count: Int = batch, from source: [DemandDay]? = nil) {
        let window = engine.spec.window
        let days = source ?? days
        var sum: Int64 = 0
        engine.forecast(count: count, target: target) { series, recent in
            let index = series % engine.itemCount
            for day in 0..<window { recent[day] = days[series * window + day] }
            return (index, engine.startLevel(index: index))
        } each: { _, forecast in
            sum &+= Int64(forecast.networkOutput)
        }
        checksum &+= sum
    }

    /// `[count, window]`: as many windows as there are series, each its own memory.
    func windows(count: Int) -> [DemandDay] {
        let window = engine.spec.window
        return (0..<count * window).map { days[$0 % days.count] }
    }

    /// The kernels alone, on a window that is there already.
    func kernels(_ kernels: KernelSet = .best) -> () -> Void {
        let network = package.network
        let layout = ArenaLayout(
            ArenaLayout.Counts(shape: network.shape, window: package.manifest.spec.window))
        let recurrence = IntegerRecurrence(network, in: Arena(layout), kernels: kernels)
        recurrence.load(
            window: (0..<package.manifest.spec.windowValues).map { Float($0 % 7) / 4 - 0.75 })
        return { self.checksum &+= Int64(recurrence.run()) }
    }
}
