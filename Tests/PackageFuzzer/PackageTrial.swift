import Forecasting
import ModelPackage

/// One file, read by both readers: the engine, which keeps it as it runs, and `ModelPackage.decode`, which makes values of it.
struct PackageTrial {
    enum Verdict: Equatable {
        case runs
        /// Well formed, but this is not a package to forecast with.
        case unfit
        /// Malformed.
        case invalid
        /// Refused before all of it was read: nobody knows.
        case unread
    }

    /// What went wrong; nil for nothing.
    private(set) var fault: String?
    private(set) var verdict = Verdict.unread

    /// Of a file that states another arena than it takes, what it takes.
    private(set) var arenaNeeded: Int?

    init(_ file: [UInt8]) {
        var decoded: ModelPackage?
        var complaint = ""
        do { decoded = try ModelPackage.decode(file) } catch { complaint = error.message }
        do throws(EngineError) {
            let engine = try Engine(file, budgetBytes: .max)
            verdict = .invalid
            do throws(EngineError) {
                try engine.proveGoldenVectors(of: file)
                verdict = .runs
            } catch .invalid(let error) {
                complaint += " | " + error.message
            } catch { verdict = .unfit }
            forecast(engine)
            if let decoded, fault == nil { compare(engine, decoded) }
        } catch .invalid(.field(.arenaBytes, index: 0)) {
            verdict = .unread
        } catch .invalid(let error) {
            complaint += " | " + error.message
            verdict = .invalid
        } catch .arenaMisstated(_, let needed) {
            arenaNeeded = needed
        } catch { verdict = .unread }
        switch verdict {
        case .runs, .unfit:
            if decoded == nil { fault = "the engine takes what decoding refuses: \(complaint)" }
        case .invalid:
            if decoded != nil { fault = "the engine refuses what decoding takes: \(complaint)" }
        case .unread: break
        }
    }

    private mutating func forecast(_ engine: borrowing Engine) {
        let days = [DemandDay](repeating: DemandDay(units: 7), count: engine.spec.window)
        let target = engine.asOf.advanced(by: 1)
        let lastIndex = engine.itemCount > 0 ? engine.itemCount - 1 : nil
        for (index, level) in [(nil, 30), (lastIndex, 0), (lastIndex, Float.nan)] {
            let forecast = engine.forecast(
                index: index, level: level, recentDays: days, target: target)
            guard forecast.units >= 0, forecast.units <= FeatureSpec.unitsMax else {
                fault = "a forecast of \(forecast.units) units"
                return
            }
        }
    }

    /// Both say the same of the items.
    private mutating func compare(_ engine: borrowing Engine, _ package: ModelPackage) {
        guard engine.itemCount == package.starts.count, engine.asOf == package.manifest.asOf,
            engine.spec == package.manifest.spec,
            engine.arenaBytes == package.manifest.arenaBytes
        else {
            fault = "the engine and the decoded package differ"
            return
        }
        for (index, start) in package.starts.enumerated()
        where engine.startLevel(index: index) != start.level
            || engine.index(of: start.item) != index
        {
            fault = "the engine and the decoded package differ in start \(index)"
        }
    }
}
