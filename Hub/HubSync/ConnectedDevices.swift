import Forecasting
import NIOCore
import Synchronization

/// Which connections are open, and which device is on which. Bounded by the connections the server
/// lets in. Safe to call from anywhere.
final class ConnectedDevices: Sendable {
    private struct State {
        var connections: [ObjectIdentifier: Connection] = [:]
        var seats: [DeviceID: ObjectIdentifier] = [:]
        /// Connections that are to look where they stand, in order.
        var lookLine: [ObjectIdentifier] = []
        /// Who waits for the last connection to end.
        var drained: AsyncStream<Void>.Continuation?
    }

    private struct Connection {
        var channel: any Channel
        var device: DeviceID?
        var store: StoreID?
        /// Registered: pushes are for it.
        var isSeated = false
        /// Something happened that may concern it.
        var wantsLook = false
    }

    private let connectionsMax: Int
    private let state = Mutex(State())

    init(connectionsMax: Int) { self.connectionsMax = connectionsMax }

    /// Counts a new connection in; false when there are too many.
    func enter(_ channel: any Channel) -> Bool {
        state.withLock { state in
            guard state.connections.count < connectionsMax else { return false }
            state.connections[ObjectIdentifier(channel)] = Connection(channel: channel)
            return true
        }
    }

    /// Counts a connection out, with the device on it. Harmless when it was never in.
    func leave(_ channel: any Channel) {
        let id = ObjectIdentifier(channel)
        state.withLock { state in
            guard let connection = state.connections.removeValue(forKey: id) else { return }
            if let device = connection.device, state.seats[device] == id {
                state.seats[device] = nil
            }
            if state.connections.isEmpty { state.drained?.finish() }
        }
    }

    /// A device is registering on `channel`: what concerns it from now on is not missed.
    func expect(_ device: DeviceID, of store: StoreID, on channel: any Channel) {
        state.withLock { state in
            guard var connection = state.connections[ObjectIdentifier(channel)] else { return }
            (connection.device, connection.store) = (device, store)
            state.connections[ObjectIdentifier(channel)] = connection
        }
    }

    /// The device expected on `channel` has registered. If it is still on an older connection (its network may
    /// have changed without a goodbye), that one is closed: the newest counts.
    /// - Returns: whether something happened meanwhile that may concern it.
    func seat(_ device: DeviceID, on channel: any Channel) -> Bool {
        let id = ObjectIdentifier(channel)
        let (older, missed) = state.withLock { state -> ((any Channel)?, Bool) in
            guard var connection = state.connections[id], connection.device == device else {
                return (nil, false)
            }
            let missed = !connection.isSeated && connection.wantsLook
            if missed { connection.wantsLook = false }
            connection.isSeated = true
            state.connections[id] = connection
            let before = state.seats.updateValue(id, forKey: device)
            let older = before == id ? nil : before.flatMap { state.connections[$0]?.channel }
            return (older, missed)
        }
        older?.close(promise: nil)
        return missed
    }

    /// Notes that these devices' sessions are to look where they stand; `sendLooks` lets them.
    func look(at isConcerned: (DeviceID, StoreID) -> Bool) {
        state.withLock { state in
            for (id, connection) in state.connections where !connection.wantsLook {
                guard let device = connection.device, let store = connection.store,
                    isConcerned(device, store)
                else { continue }
                state.connections[id]?.wantsLook = true
                if connection.isSeated { state.lookLine.append(id) }
            }
        }
    }

    /// Lets so many of the sessions that are to look do so, those first that were noted first.
    func sendLooks(countMax: Int) {
        let channels = state.withLock { state in
            let some = state.lookLine.prefix(countMax)
            state.lookLine.removeFirst(some.count)
            return some.compactMap { id -> (any Channel)? in
                // Who stood in line may have gone, and its identity may be that of a connection that has only just begun.
                guard let connection = state.connections[id], connection.isSeated,
                    connection.wantsLook
                else { return nil }
                state.connections[id]?.wantsLook = false
                return connection.channel
            }
        }
        for channel in channels {
            channel.pipeline.fireUserInboundEventTriggered(ConnectionSignal.look)
        }
    }

    /// Tells every session that the hub is going down, and each another time to come back, so that they do not come
    /// together.
    /// - Parameter perSecond: how many are to come back in a second.
    func stopAll(perSecond: Int) {
        let channels = state.withLock { state in state.connections.values.map(\.channel) }
        for (index, channel) in channels.shuffled().enumerated() {
            channel.pipeline.fireUserInboundEventTriggered(
                ConnectionSignal.stop(
                    retryAfterSeconds: Self.retrySecondsMin
                        + UInt32(clamping: index / max(1, perSecond))))
        }
    }

    /// A restart takes about so long.
    private static let retrySecondsMin: UInt32 = 5

    /// Cuts every connection off.
    func closeAll() {
        let channels = state.withLock { state in state.connections.values.map(\.channel) }
        for channel in channels { channel.close(promise: nil) }
    }

    /// Returns when no connection is open, or when the task is cancelled. Called once, at the end.
    func drain() async {
        let (stream, continuation) = AsyncStream.makeStream(of: Void.self)
        state.withLock { state in
            state.drained = continuation
            if state.connections.isEmpty { continuation.finish() }
        }
        for await _ in stream {}
    }

    var deviceIDs: [DeviceID] { state.withLock { Array($0.seats.keys) } }
    var connectionCount: Int { state.withLock { $0.connections.count } }
}
