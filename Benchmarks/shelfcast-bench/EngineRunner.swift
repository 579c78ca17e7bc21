import Forecasting
import ModelPackage

/// One package at work with one kernel set, on windows of the sales it learned from.
final class EngineRunner {
    static let batch = 50
    private let engine: Engine
    private let package: ModelPackage
    private let target: BusinessDay
    /// `[count, window]`: items in turn, each a few days further on.
    private let days: UnsafeMutableBufferPointer<DemandDay>
    /// Of each series: its start's index and its level.
    private let starts: UnsafeMutableBufferPointer<(index: Int, level: Float)>
    /// The one whose turn it is.
    private var next = 0
    /// Of all outputs, so that none of them is left out.
    private(set) var checksum: Int64 = 0

    /// - Parameters:
    ///   - series: of the package's items.
    ///   - count: of series to forecast, each with memory of its own.
    init(
        _ package: ModelPackage, coding: TensorCoding = .smallest, days series: [[DemandDay]],
        count: Int = batch, kernels: KernelSet = .best
    ) throws {
        self.package = package
        let engine = try Engine(package, coding: coding, budgetBytes: .max, kernels: kernels)
        target = engine.asOf.advanced(by: 1)
        let window = engine.spec.window
        days = .allocate(capacity: count * window)
        starts = .allocate(capacity: count)
        for number in 0..<count {
            let days = series[number % series.count]
            let end = days.count - number % Self.batch
            for day in 0..<window {
                self.days[number * window + day] = days[end - window + day]
            }
            let index = number % engine.itemCount
            starts[number] = (index, engine.startLevel(index: index))
        }
        self.engine = engine
    }

    deinit {
        days.deallocate()
        starts.deallocate()
    }

    /// One call for one forecast, of another series every time.
    func single() {
        next = next + 1 == Self.batch ? 0 : next + 1
        let window = engine.spec.window
        let recent = UnsafeBufferPointer(
            rebasing: days[next * window..<(next + 1) * window])
        let forecast = engine.forecast(
            index: starts[next].index, level: starts[next].level, recentDays: recent.span,
            target: target)
        checksum &+= Int64(forecast.networkOutput)
    }

    /// One call for all of them.
    func batch() {
        let (window, days, starts) = (engine.spec.window, days, starts)
        var sum: Int64 = 0
        engine.forecast(count: starts.count, target: target) { series, recent in
            for day in 0..<window { recent[day] = days[series &* window &+ day] }
            return (starts[series].index, starts[series].level, [])
        } each: { _, forecast in
            sum &+= Int64(forecast.networkOutput)
        }
        checksum &+= sum
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
