package import Forecasting

/// Which device is in which wave: drawn once, when a rollout is pushed, and the same whenever it is drawn of the same
/// devices. The draw follows a hash, so that nobody chooses who is first; only that no store loses two devices to a
/// wave while another loses none.
package struct RolloutPlan: Hashable, Sendable {
    package struct Device: Hashable, Sendable {
        package var id: DeviceID
        package var store: StoreID
        /// It runs a package, so that a canary there has something to be compared with.
        package var isRunning: Bool

        package init(id: DeviceID, store: StoreID, isRunning: Bool) {
            self.id = id
            self.store = store
            self.isRunning = isRunning
        }
    }

    private struct Ticket {
        var device: Device
        var hash: UInt64
        var storeHash: UInt64
        /// Its place within its store.
        var round = 0
    }

    /// Wave after wave, in the order drawn.
    package var waves: [[DeviceID]]

    /// - Parameter key: of the rollout; another one draws otherwise.
    /// - Complexity: O(n log n) in devices.
    package init(_ waves: RolloutWaves, devices: some Sequence<Device>, key: UInt64) {
        var tickets = devices.map {
            Ticket(
                device: $0, hash: Self.hash($0.id.utf8, key: key),
                storeHash: Self.hash($0.store.utf8, key: key))
        }
        // Store by store, who runs a package first: its place within its store is the round it is drawn in.
        tickets.sort { a, b in
            if a.storeHash != b.storeHash { return a.storeHash < b.storeHash }
            if a.device.isRunning != b.device.isRunning { return a.device.isRunning }
            if a.hash != b.hash { return a.hash < b.hash }
            return a.device.id < b.device.id
        }
        for index in tickets.indices.dropFirst()
        where tickets[index].device.store == tickets[index - 1].device.store {
            tickets[index].round = tickets[index - 1].round + 1
        }
        tickets.sort { a, b in
            if a.device.isRunning != b.device.isRunning { return a.device.isRunning }
            if a.round != b.round { return a.round < b.round }
            if a.storeHash != b.storeHash { return a.storeHash < b.storeHash }
            if a.hash != b.hash { return a.hash < b.hash }
            return a.device.id < b.device.id
        }
        var rest = tickets[...]
        self.waves = waves.sizes(devices: tickets.count).map { size in
            defer { rest = rest.dropFirst(size) }
            return rest.prefix(size).map(\.device.id)
        }
    }

    /// Of what was pushed to whom, so that `push --dry-run` draws as `push` does.
    package static func key(family: String, release: UInt64, selector: Selector) -> UInt64 {
        hash("\(family) \(release) \(selector.text)".utf8, key: 0)
    }

    /// FNV-1a over 64 bits (Fowler, Noll, Vo 1991), finished as SplitMix64 finishes (Steele, Lea, Flood 2014), since
    /// names often differ in their last byte alone.
    private static func hash(_ bytes: some Sequence<UInt8>, key: UInt64) -> UInt64 {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325 ^ key
        for byte in bytes { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01B3 }
        hash = (hash ^ hash >> 30) &* 0xBF58_476D_1CE4_E5B9
        hash = (hash ^ hash >> 27) &* 0x94D0_49BB_1331_11EB
        return hash ^ hash >> 31
    }
}
