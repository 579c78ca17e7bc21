package import AgentCore
package import Forecasting
package import ModelPackage
import UpdateTrust

/// A package at work on this device.
package final class EnginePredictor: SeriesPredictor {
    package let engine: Engine
    package let candidate: Candidate

    private init(_ engine: consuming Engine, _ candidate: Candidate) {
        self.engine = engine
        self.candidate = candidate
    }

    package var spec: FeatureSpec { engine.spec }
    package var asOf: BusinessDay { engine.asOf }
    package var packageDigest: [UInt8] { candidate.stated.digest }

    package var items: [ItemID] {
        var items: [ItemID] = []
        items.reserveCapacity(engine.itemCount)
        engine.forEachItem { _, item in items.append(item) }
        return items
    }

    package func startLevel(index: Int) -> Float { engine.startLevel(index: index) }

    package func factor(on day: BusinessDay, index: Int?) -> Float {
        engine.factor(on: day, index: index)
    }

    package func predict(
        index: Int?, level: Float, recentDays: [DemandDay], target: BusinessDay,
        targetMarks: DayMarks
    ) -> Prediction {
        let forecast = engine.forecast(
            index: index, level: level, recentDays: recentDays, target: target,
            targetMarks: targetMarks)
        return Prediction(units: forecast.units, networkOutput: forecast.networkOutput)
    }

    /// Checks a package file against what was signed of it, loads it and proves its golden vectors.
    /// - Throws: why it may not forecast here.
    package static func load(
        _ candidate: Candidate, content: [UInt8], budgetBytes: Int
    ) throws(UnusablePackage) -> EnginePredictor {
        try check(candidate, content: content)
        do {
            let engine = try Engine(content, budgetBytes: budgetBytes)
            try engine.proveGoldenVectors(of: content)
            return EnginePredictor(engine, candidate)
        } catch {
            if case .overBudget = error { throw UnusablePackage(.budget(error.message)) }
            throw UnusablePackage(.package(error.message))
        }
    }

    /// Whether a file is what was signed.
    /// - Returns: its manifest.
    @discardableResult
    package static func check(
        _ candidate: Candidate, content: [UInt8]
    ) throws(UnusablePackage) -> Manifest {
        let stated = candidate.stated
        do {
            try stated.checkContent(
                bytes: UInt64(content.count), digest: Crypto.sha256(content))
        } catch { throw UnusablePackage(.download(error.explanation)) }
        let manifest: Manifest
        let memoryBytes: Int
        do {
            manifest = try Manifest(of: content)
            memoryBytes = try PackageBytes(of: content).memory
        } catch {
            throw UnusablePackage(.package(error.message))
        }
        do {
            try stated.checkManifest(
                arenaBytes: UInt64(memoryBytes), release: manifest.release,
                family: manifest.family, variant: manifest.variant, store: manifest.store?.text)
        } catch { throw UnusablePackage(.package(error.explanation)) }
        return manifest
    }
}

/// Why a package may not forecast on this device.
package struct UnusablePackage: Error, Equatable, Sendable {
    package var reason: RefusalReason

    package init(_ reason: RefusalReason) {
        self.reason = reason
    }
}
