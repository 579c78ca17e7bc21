package import AgentCore
package import Forecasting
package import ModelPackage
import UpdateTrust

/// A package at work, with what the level recursion needs of it.
package final class EnginePredictor: SeriesPredictor {
    package let engine: Engine
    package let candidate: Candidate
    package let spec: FeatureSpec
    package let asOf: BusinessDay
    package let starts: [SeriesStart]
    private let profiles: [SeasonalProfile]
    package var packageDigest: [UInt8] { candidate.stated.digest }

    package init(_ engine: Engine, _ package: ModelPackage, _ candidate: Candidate) {
        self.engine = engine
        self.candidate = candidate
        spec = package.manifest.spec
        asOf = package.manifest.asOf
        starts = package.starts
        profiles = package.profiles
    }

    package func profile(_ index: UInt16) -> SeasonalProfile {
        Int(index) < profiles.count ? profiles[Int(index)] : profiles[0]
    }

    package func predict(
        index: Int?, level: Float, recentDays: [DemandDay], target: BusinessDay
    ) -> Prediction {
        let forecast = engine.forecast(
            index: index, level: level, recentDays: recentDays, target: target)
        return Prediction(units: forecast.units, networkOutput: forecast.networkOutput)
    }

    /// Checks a package file against its statement, loads it and proves its golden vectors.
    /// - Throws: why it may not forecast here.
    package static func load(
        _ candidate: Candidate, content: [UInt8], budgetBytes: Int
    ) throws(UnusablePackage) -> EnginePredictor {
        let package = try decode(candidate, content: content)
        let engine: Engine
        do {
            engine = try Engine(package, budgetBytes: budgetBytes)
            try engine.proveGoldenVectors(of: package)
        } catch {
            if case .overBudget = error { throw UnusablePackage(.budget(error.message)) }
            throw UnusablePackage(.package(error.message))
        }
        return EnginePredictor(engine, package, candidate)
    }

    /// The package of a file that is what its statement says.
    package static func decode(
        _ candidate: Candidate, content: [UInt8]
    ) throws(UnusablePackage) -> ModelPackage {
        let stated = candidate.stated
        do {
            try stated.checkContent(
                bytes: UInt64(content.count), digest: Crypto.sha256(content))
        } catch { throw UnusablePackage(.download(error.explanation)) }
        let package: ModelPackage
        do { package = try ModelPackage.decode(content) } catch {
            throw UnusablePackage(.package(error.message))
        }
        do {
            try stated.checkManifest(
                arenaBytes: UInt64(Engine.arenaBytes(for: package)),
                release: package.manifest.release, family: package.manifest.family,
                variant: package.manifest.variant, store: package.manifest.store?.text)
        } catch { throw UnusablePackage(.package(error.explanation)) }
        return package
    }
}

/// Why a package may not forecast on this device.
package struct UnusablePackage: Error, Equatable, Sendable {
    package var reason: RefusalReason

    package init(_ reason: RefusalReason) {
        self.reason = reason
    }
}
