package import Forecasting

/// What a family would come to on devices if it were rolled out to them now, and how accurate its
/// forecasts should then be. Computed by the rules of a rollout, without one.
package struct FleetFit: Sendable {
    package struct Device: Sendable {
        package var device: DeviceRecord
        package var choice: VariantChoice
        /// Of one forecast there; nil where no package fits.
        package var time: ForecastTime?
    }

    /// Devices of one store that would run one package, or none.
    package struct Share: Sendable {
        package var store: StoreID
        /// nil: nothing fits them.
        package var package: PackageRecord?
        package var devices: Int
    }

    private struct Place: Hashable {
        var store: StoreID
        var digest: [UInt8]?
    }

    /// In the order they were given.
    package private(set) var devices: [Device] = []
    /// By store; within one, the most accurate package first, and last the devices that nothing fits.
    package private(set) var shares: [Share] = []

    /// - Parameters:
    ///   - devices: that the rollout would select.
    ///   - nanosecondsMax: of one forecast; nil: any.
    ///   - packages: of the family.
    package init(
        family: String, devices: some Sequence<DeviceRecord>, nanosecondsMax: Int? = nil,
        among packages: [PackageRecord]
    ) {
        let shelf = PackageShelf(packages)
        var places: [Place: Int] = [:]
        for device in devices {
            let choice = VariantChoice.choose(
                family: family, store: device.store, capabilities: device.capabilities,
                nanosecondsMax: nanosecondsMax, among: shelf.packages(for: device.store))
            var line = Device(device: device, choice: choice)
            var chosen: PackageRecord?
            if case .run(let package, _) = choice {
                chosen = package
                line.time = device.capabilities.map { ForecastTime(of: package, on: $0) }
            }
            self.devices.append(line)
            let place = Place(store: device.store, digest: chosen?.digest)
            if let known = places[place] {
                shares[known].devices += 1
            } else {
                places[place] = shares.count
                shares.append(Share(store: device.store, package: chosen, devices: 1))
            }
        }
        shares.sort { one, other in
            guard one.store == other.store else { return one.store < other.store }
            guard let a = one.package else { return false }
            guard let b = other.package else { return true }
            return (a.wape, a.arenaBytes) < (b.wape, b.arenaBytes)
        }
    }

    /// Devices that nothing of the family fits, or that have not said what they are.
    package var without: [Device] {
        devices.filter { if case .noFit = $0.choice { true } else { false } }
    }
}
