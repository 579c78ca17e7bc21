import Forecasting
import NIOCore
import Synchronization

/// Which connections are open, and which device is on which. Bounded by the connections the server
/// lets in. Safe to call from anywhere.
final class ConnectedDevices: Sendable {
    private struct State {
        var connections: [ObjectIdentifier: Connection] = [:]
        var seats: [DeviceID: ObjectIdentifier] = [:]
        /// Who waits for the last connection to end.
        var drained: AsyncStream<Void>.Continuation?
    }

    private struct Connection {
        var channel: any Channel
        var device: DeviceID?
        var store: StoreID?
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

    /// A device has registered on `channel`. If it is still on an older connection (its network may
    /// have changed without a goodbye), that one is closed: the newest counts.
    func seat(_ device: DeviceID, of store: StoreID, on channel: any Channel) {
        let id = ObjectIdentifier(channel)
        let older: (any Channel)? = state.withLock { state in
            guard state.connections[id] != nil else { return nil }
            state.connections[id]?.device = device
            state.connections[id]?.store = store
            let before = state.seats.updateValue(id, forKey: device)
            return before == id ? nil : before.flatMap { state.connections[$0]?.channel }
        }
        older?.close(promise: nil)
    }

    /// Lets the sessions of these devices look where they stand.
    func look(at isConcerned: (DeviceID, StoreID) -> Bool) {
        let channels = state.withLock { state in
            state.connections.values.compactMap { connection -> (any Channel)? in
                guard let device = connection.device, let store = connection.store,
                    isConcerned(device, store)
                else { return nil }
                return connection.channel
            }
        }
        for channel in channels {
            channel.pipeline.fireUserInboundEventTriggered(ConnectionSignal.look)
        }
    }

    /// Tells every session that the hub is going down.
    func stopAll() {
        let channels = state.withLock { state in state.connections.values.map(\.channel) }
        for channel in channels {
            channel.pipeline.fireUserInboundEventTriggered(ConnectionSignal.stop)
        }
    }

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
