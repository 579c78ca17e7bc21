import AgentCore
import CPosix
import Forecasting
import ModelPackage
package import SyncProtocol

/// What a device times on itself: the one place where the benchmark touches the engine.
package enum EngineTiming {
    /// Series of a batch.
    package static let batchCount = 50

    /// The reference networks of SPEC 7.1, without what a device knows of any series.
    package static func references() -> Measurement {
        var measurement = Measurement()
        measurement.kernels = KernelSet.best.name
        (measurement.smallNanoseconds, measurement.smallBatchNanoseconds) = time(units: 16)
        (measurement.largeNanoseconds, measurement.largeBatchNanoseconds) = time(units: 64)
        return measurement
    }

    private static func time(units: Int) -> (single: UInt32, batch: UInt32) {
        let reference = EngineTrial.Case(
            seed: UInt64(units), shape: NetworkShape(inputWidth: 1, units: units), window: 14,
            isExtreme: false)
        let layout = ArenaLayout(
            ArenaLayout.Counts(
                shape: reference.shape, window: reference.window))
        let recurrence = IntegerRecurrence(EngineTrial.network(of: reference), in: Arena(layout))
        var values = [Float](repeating: 0, count: reference.window * batchCount)
        for i in values.indices { values[i] = Float(i % 61) / 30 - 1 }
        func load(_ series: Int) {
            for day in 0..<reference.window {
                let at = series * reference.window + day
                recurrence.load(day: day, values.span.extracting(at..<at + 1))
            }
        }
        load(0)
        let single = nanoseconds(each: 1) { _ = recurrence.run() }
        let batch = nanoseconds(each: batchCount) {
            for series in 0..<batchCount {
                load(series)
                _ = recurrence.run()
            }
        }
        return (single, batch)
    }

    /// What one forecast of a package takes, features included.
    static func nanoseconds(of engine: borrowing Engine) -> UInt32 {
        var days: [DemandDay] = []
        for day in 0..<engine.spec.window { days.append(DemandDay(units: Int32(3 + day % 5))) }
        let target = engine.asOf.advanced(by: 1)
        let first = engine.itemCount > 0 ? 0 : nil
        let level = first.map { engine.startLevel(index: $0) } ?? 5
        return nanoseconds(each: 1) {
            _ = engine.forecast(index: first, level: level, recentDays: days, target: target)
        }
    }

    /// Forecasts of a package at work, features included, for its items in turn.
    static func add(
        _ engine: borrowing Engine, digest: [UInt8], to measurement: inout Measurement
    ) {
        var days: [DemandDay] = []
        for day in 0..<engine.spec.window { days.append(DemandDay(units: Int32(3 + day % 5))) }
        let target = engine.asOf.advanced(by: 1)
        func batch() {
            engine.forecast(count: batchCount, target: target) { series, window in
                let index = engine.itemCount > 0 ? series % engine.itemCount : nil
                for day in days.indices { window[day] = days[day] }
                return (index, index.map { engine.startLevel(index: $0) } ?? 5, [])
            } each: { _, _ in
            }
        }
        measurement.packageDigest = digest
        measurement.arenaBytes = UInt64(engine.arenaBytes)
        measurement.packageNanoseconds = nanoseconds(of: engine)
        measurement.packageBatchNanoseconds = nanoseconds(each: batchCount, batch)
        measurement.packageNanojoules = nanojoules(batch)
    }

    /// Of this process since it started.
    package static func peakMemoryBytes() -> UInt64 {
        Capabilities.bytes(
            of: "VmHWM:", in: Files.read("/proc/self/status", bytesMax: 65_536) ?? [])
    }

    /// A round takes long enough for a clock of microseconds.
    private static let roundMicroseconds: Int64 = 200
    private static let rounds = 11
    private static let roundsMin = 3
    /// After so long the rounds there are must do, on the slowest device.
    private static let enoughMicroseconds: Int64 = 50_000

    /// - Parameter count: of what `body` does alike.
    /// - Returns: for one of them; the median of rounds, so that whatever else the machine does counts little.
    private static func nanoseconds(each count: Int, _ body: () -> Void) -> UInt32 {
        var repeats = 1
        var elapsed = microseconds(repeats, body)
        while elapsed < roundMicroseconds, repeats < 1 << 16 {
            repeats *= 2
            elapsed = microseconds(repeats, body)
        }
        var times: [Int64] = []
        var all: Int64 = 0
        while times.count < rounds, times.count < roundsMin || all < enoughMicroseconds {
            times.append(microseconds(repeats, body))
            all += times[times.count - 1]
        }
        times.sort()
        let median = times[times.count / 2] * 1000 / Int64(repeats * count)
        return UInt32(clamping: max(1, median))
    }

    private static func microseconds(_ repeats: Int, _ body: () -> Void) -> Int64 {
        let start = shelfcast_steady_microseconds()
        for _ in 0..<repeats { body() }
        return shelfcast_steady_microseconds() - start
    }

    /// Counters of energy move about once in a millisecond.
    private static let energyMicroseconds: Int64 = 30_000

    /// Of one forecast; 0 where the system does not say.
    /// - Parameter batch: makes `batchCount` forecasts.
    private static func nanojoules(_ batch: () -> Void) -> UInt32 {
        var meter = EnergyMeter()
        guard meter.source != .notExposed else { return 0 }
        meter.begin()
        let start = shelfcast_steady_microseconds()
        var forecasts: UInt64 = 0
        while shelfcast_steady_microseconds() - start < energyMicroseconds {
            batch()
            forecasts += UInt64(batchCount)
        }
        return UInt32(clamping: (meter.nanojoules() ?? 0) / max(1, forecasts))
    }
}
