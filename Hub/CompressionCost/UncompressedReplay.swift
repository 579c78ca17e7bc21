import Compression
import Forecasting
import Foundation
import HubCore
package import HubStore
import ModelPackage
import Training

/// Replays the forecasts of final days by the uncompressed networks of the packages that made them, from what their devices
/// forecast from: package, level and totals are those of the checksum that the device sent up (SPEC 9.6), or the forecast
/// is not counted. What comes of it is kept beside the report's sums.
package actor UncompressedReplay {
    /// What one turn came to.
    package enum Turn: Equatable, Sendable {
        /// Nothing waits.
        case nothing
        case done(forecasts: Int)
        /// Something changed while it was at work; the next turn finds it so.
        case changedMeanwhile
    }

    /// Of a turn, but for whole days.
    package static let forecastsMax = 4_096
    /// Networks, and packages, that are kept at hand; beyond it all of them are read anew.
    private static let keptMax = 64

    private let hub: any HubStore
    private let packageFile: @Sendable ([UInt8]) -> [UInt8]?
    private var packages: [UInt64: [PackageRecord]] = [:]
    private var families: [String: TrainedFamily?] = [:]
    private var networks: [Network.Key: Network?] = [:]
    private var runnable: [[UInt8]: ReplayPackage?] = [:]

    /// - Parameter packageFile: the bytes of a package by digest, whole and unchanged; nil: it is not here.
    package init(
        _ hub: any HubStore, packageFile: @escaping @Sendable ([UInt8]) -> [UInt8]?
    ) {
        self.hub = hub
        self.packageFile = packageFile
    }

    /// Replays the days of one store that wait longest, about `forecastsMax` forecasts.
    package func turn(forecastsMax: Int = UncompressedReplay.forecastsMax) async throws -> Turn {
        guard let waiting = try await hub.waitingForecasts(countMax: forecastsMax),
            let last = waiting.forecasts.last?.forecast.day
        else { return .nothing }
        try await findPackages(waiting)
        let views = try await views(for: waiting, through: last)
        let replayed = replay(waiting, views)
        return try await hub.keepReplayed(replayed, of: waiting)
            ? .done(forecasts: replayed.count) : .changedMeanwhile
    }

    // MARK: What is needed

    /// Packages of one build are saved together, so a release that is known is known whole.
    private func findPackages(_ waiting: WaitingForecasts) async throws {
        if families.count > Self.keptMax || networks.count > Self.keptMax
            || runnable.count > Self.keptMax
        {
            (families, networks, runnable) = ([:], [:], [:])
        }
        let releases = Set(waiting.forecasts.map(\.forecast.release))
        if releases.contains(where: { packages[$0] == nil }) {
            packages = Dictionary(grouping: try await hub.packages(family: nil), by: \.release)
            for release in releases where packages[release] == nil { packages[release] = [] }
            // A family may have got the variant that was packed.
            (families, networks) = ([:], [:])
        }
        for family in Set(releases.flatMap { packages[$0] ?? [] }.map(\.family))
        where families.index(forKey: family) == nil {
            // A family that cannot be read is as good as none.
            let trained = try await hub.family(family).flatMap {
                try? TrainedFamily(encoded: Data($0.trained))
            }
            families.updateValue(trained, forKey: family)
        }
    }

    private func candidates(_ release: UInt64, of store: StoreID) -> [PackageRecord] {
        (packages[release] ?? []).filter { $0.store == store || $0.store == nil }
    }

    /// The store's totals, as far back as any of the forecasts looks, as devices see them: heeding the calendar, and as those
    /// do that know nothing of it.
    private func views(
        for waiting: WaitingForecasts, through last: BusinessDay
    ) async throws -> [StoreDays] {
        var from = waiting.ledgerFrom
        let brief = Set(
            waiting.forecasts.lazy.filter(\.leavesLevelToHub).map(\.forecast.release))
        for release in brief {
            for package in candidates(release, of: waiting.store) {
                if let runs = self.runs(package) { from = min(from, runs.asOf.advanced(by: 1)) }
            }
        }
        guard
            let ledger = try await hub.ledger(store: waiting.store, from: from, through: last)
        else { throw HubStoreError.notFound(what: "store \(waiting.store.text)") }
        // The totals are the same for every device; only the share is one's own.
        let days = StoreDays(
            StoreContext.decide(
                ledger, device: waiting.forecasts[0].device, knownRevision: 0))
        let calendar = StoreCalendar(
            try await hub.calendar(
                kind: nil, store: waiting.store, from: from, through: last),
            store: waiting.store)
        return calendar.isEmpty ? [days] : [days.heeding(calendar), days]
    }

    private func runs(_ package: PackageRecord) -> ReplayPackage? {
        if let known = runnable[package.digest] { return known }
        let made = packageFile(package.digest).flatMap {
            // Whatever is wrong with it: it cannot be what a device ran.
            try? ReplayPackage(file: $0, digest: package.digest)
        }
        runnable.updateValue(made, forKey: package.digest)
        return made
    }

    private func network(of package: PackageRecord) -> Network? {
        let key = Network.Key(
            family: package.family, variant: package.variant, store: package.store)
        if let known = networks[key] { return known }
        let made = (families[package.family] ?? nil).flatMap { Network(key, of: $0) }
        networks.updateValue(made, forKey: key)
        return made
    }

    // MARK: One turn

    private struct SeriesDay: Hashable {
        var item: ItemID
        var day: BusinessDay
        var window: Int
        /// Of the views.
        var view: Int
    }

    /// Day by day: what goes through a network together hangs on the day alone, and so do the bits that come of it.
    private func replay(
        _ waiting: WaitingForecasts, _ views: [StoreDays]
    ) -> [ReplayedForecast] {
        var replayed: [ReplayedForecast] = []
        replayed.reserveCapacity(waiting.forecasts.count)
        var recent: [SeriesDay: [DemandDay]] = [:]
        var start = 0
        while start < waiting.forecasts.count {
            let day = waiting.forecasts[start].forecast.day
            let end =
                waiting.forecasts[start...].firstIndex { $0.forecast.day != day }
                ?? waiting.forecasts.count
            var eves: [Network.Key: [(index: Int, eve: FloatForecaster.Eve)]] = [:]
            for one in waiting.forecasts[start..<end] {
                var outcome = ReplayedForecast(
                    device: one.device, item: one.forecast.item, day: day,
                    uncompressed: .impossible(.inputsUnknown))
                switch find(one.forecast, of: waiting.store, views, &recent) {
                case .failure(let reason): outcome.uncompressed = .impossible(reason.obstacle)
                case .success(let found):
                    eves[found.network.key, default: []].append((replayed.count, found.eve))
                }
                replayed.append(outcome)
            }
            for (key, own) in eves {
                guard let network = networks[key] ?? nil else { continue }
                for (one, units) in zip(own, network.forecaster.units(own.map { $0.eve })) {
                    replayed[one.index].uncompressed = .units(Double(units))
                }
            }
            start = end
        }
        return replayed
    }

    private struct Failure: Error {
        var obstacle: UncompressedForecast.Obstacle
    }

    /// The package that made the forecast, by its checksum, and what its network is to be given.
    private func find(
        _ forecast: DeviceForecast, of store: StoreID, _ views: [StoreDays],
        _ recent: inout [SeriesDay: [DemandDay]]
    ) -> Result<(network: Network, eve: FloatForecaster.Eve), Failure> {
        let candidates = candidates(forecast.release, of: store)
        guard forecast.inputsDigest != 0 else { return .failure(Failure(obstacle: .inputsUnknown)) }
        var isGone = candidates.isEmpty
        for package in candidates {
            guard let spec = families[package.family]??.spec else {
                isGone = true
                continue
            }
            for (view, days) in views.enumerated() {
                let key = SeriesDay(
                    item: forecast.item, day: forecast.day, window: spec.window, view: view)
                let before =
                    recent[key]
                    ?? (0..<spec.window).map {
                        days.demand(
                            for: forecast.item, on: forecast.day.advanced(by: $0 - spec.window))
                    }
                recent[key] = before
                let marks = days.plannedMarks(of: forecast.item, on: forecast.day)
                // A device that must be brief leaves the level to be followed here.
                let level =
                    forecast.level != 0
                    ? forecast.level
                    : runs(package)?.level(of: forecast.item, before: forecast.day, days: days)
                        ?? 0
                guard
                    ForecastInputs.digest(
                        package: package.digest, level: level, recentDays: before,
                        targetMarks: marks, planned: spec.inputs.marks)
                        == forecast.inputsDigest
                else { continue }
                guard let network = network(of: package) else {
                    return .failure(Failure(obstacle: .networkGone))
                }
                let eve = network.eve(
                    of: forecast.item, level: level, recentDays: before, target: forecast.day,
                    targetMarks: marks)
                return .success((network, eve))
            }
        }
        return .failure(Failure(obstacle: isGone ? .networkGone : .inputsUnknown))
    }
}

extension UploadedForecast {
    /// It was made from a level that is not stated (SPEC 9.6).
    fileprivate var leavesLevelToHub: Bool { forecast.level == 0 && forecast.inputsDigest != 0 }
}

/// The uncompressed network of one store's packages of a variant, and what the family knows of their items.
private final class Network {
    struct Key: Hashable {
        var family: String
        var variant: String
        /// Nil: of packages for any store.
        var store: StoreID?
    }

    let key: Key
    let forecaster: FloatForecaster
    private let starts: [ItemID: SeriesStart]
    private let newItemScale: Float
    private let newItemProfile: UInt16

    /// Nil: the family has no such variant or store any more, or the network before its compression was not kept.
    init?(_ key: Key, of family: TrainedFamily) {
        guard let variant = family.variants.first(where: { $0.name == key.variant }),
            let parameters = variant.uncompressedNetwork
        else { return nil }
        var own: [SeriesStart] = []
        if let store = key.store {
            guard let starts = family.starts.first(where: { $0.store == store }) else {
                return nil
            }
            own = starts.starts
        }
        self.key = key
        starts = Dictionary(own.map { ($0.item, $0) }, uniquingKeysWith: { $1 })
        newItemScale = family.newItemScale
        let counted = key.store == nil ? family.starts.flatMap(\.starts) : own
        newItemProfile = UInt16(clamping: family.profiles(mostUsedBy: counted).order.first ?? 0)
        forecaster = FloatForecaster(
            ForecastModel(
                spec: family.spec, parameters: parameters, profiles: family.profiles))
    }

    /// - Parameter level: as the device had it.
    func eve(
        of item: ItemID, level: Float, recentDays: [DemandDay], target: BusinessDay,
        targetMarks: DayMarks
    ) -> FloatForecaster.Eve {
        guard let start = starts[item] else {
            return FloatForecaster.Eve(
                state: SeriesState(level: level, scale: level * newItemScale),
                profile: newItemProfile, recentDays: recentDays, target: target,
                targetMarks: targetMarks)
        }
        return FloatForecaster.Eve(
            state: SeriesState(
                level: level, scale: start.scale, persistence: start.persistence),
            profile: start.profile, recentDays: recentDays, target: target,
            targetMarks: targetMarks)
    }
}
