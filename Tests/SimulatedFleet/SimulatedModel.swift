import AgentCore
import Forecasting
import HubCore
import UpdateTrust

/// How a release of the model behaves, for better or worse.
package struct ModelNature: Sendable {
    package enum Crash: Sendable, Hashable {
        case never
        /// When its golden vectors are proved.
        case inProof
        /// After so many days beside the active one.
        case beside(days: Int)
        /// After so many days as the active one.
        case active(days: Int)
    }

    package var name: String
    /// Of its errors, against those of release 1.
    var errors = 1.0
    /// In so large a share of the stores it forecasts as `errorsThere` says.
    var storesWorse = 0.0
    var errorsThere = 1.0
    var crash = Crash.never
    /// On so large a share of the devices.
    var crashes = 0.0
    /// Of one forecast on an ordinary device.
    var nanoseconds = 1_000
    /// Whether whoever looks at the reports would take it back.
    package var isBad = false

    package static let first = ModelNature(name: "the first")
    package static let good = ModelNature(name: "good", errors: 0.8)
    /// Clearly better than what went before, so that no fair test takes it for worse.
    package static let final = ModelNature(name: "the last, good", errors: 0.55)

    package static let second: [ModelNature] = [
        good,
        ModelNature(name: "bad everywhere", errors: 1.7, isBad: true),
        ModelNature(name: "a little worse everywhere", errors: 1.2, isBad: true),
        ModelNature(name: "bad in a few stores", errors: 0.9, storesWorse: 0.04, errorsThere: 1.6),
        ModelNature(name: "crashes in its proof", crash: .inProof, crashes: 0.7, isBad: true),
        ModelNature(name: "crashes on trial", crash: .beside(days: 1), crashes: 0.5, isBad: true),
        ModelNature(
            name: "crashes days later", errors: 0.9, crash: .active(days: 3), crashes: 0.5,
            isBad: true),
        ModelNature(name: "slow", errors: 0.9, nanoseconds: 5_000),
    ]
}

/// One package: a release in one of two sizes.
final class SimulatedModel {
    static let itemsPerDevice = 12

    /// From 1 up; 0 is no package.
    let number: Int
    let record: PackageRecord
    let candidate: Candidate
    let nature: ModelNature
    let chunks: Int
    private let seed: UInt64

    init(release: Int, isSmall: Bool, nature: ModelNature, seed: UInt64) {
        number = release * 2 + (isSmall ? 1 : 0)
        self.nature = nature
        self.seed = seed
        chunks = isSmall ? 2 : 4
        let digest = [UInt8](repeating: UInt8(number), count: 32)
        let (variant, arena) = isSmall ? ("small", 20_000) : ("large", 200_000)
        record = PackageRecord(
            digest: digest, family: "f", variant: variant, store: nil, release: UInt64(release),
            packageBytes: chunks * 16_384, arenaBytes: arena, parameterCount: 9,
            requiredFeatures: [], wape: isSmall ? 12 : 10, mape: 12, bias: 0, floatWAPE: 10,
            floatMAPE: 10, createdAt: Timestamp(millisecondsSince1970: 0))
        // Every field is there, so this cannot throw.
        let stated = try! StatedPackage(
            digest: digest, packageBytes: UInt64(chunks * 16_384), arenaBytes: UInt64(arena),
            release: UInt64(release), family: "f", variant: variant, store: "")
        candidate = Candidate(stated: stated)
    }

    static func number(ofDigest digest: [UInt8]) -> Int { Int(digest[0]) }

    var release: Int { number / 2 }

    func crashes(on device: Int) -> Bool {
        nature.crash != .never && Chance.fixed(seed, device, release, 7) < nature.crashes
    }

    /// What was sold of an item, 4 to 23 units.
    static func sold(_ seed: UInt64, device: Int, item: Int, day: Int) -> Float {
        Float(4 + Int(Chance.fixed(seed, device, item, day) * 20))
    }

    func forecast(device: Int, store: Int, item: Int, day: Int, sold: Float) -> Float {
        let isThere =
            nature.storesWorse > 0 && Chance.fixed(seed, store, release, 3) < nature.storesWorse
        let spread = 6 * (isThere ? nature.errorsThere : nature.errors)
        let error = Chance.fixed(seed, device, item, day, number) * 2 - 1
        return max(0, sold + Float(error * spread))
    }
}
