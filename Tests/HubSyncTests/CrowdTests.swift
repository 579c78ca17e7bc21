import Forecasting
import HubCore
import HubStore
import HubSync
import SyncProtocol
import Testing

@Suite("More devices at a hub than it can serve at once", .timeLimit(.minutes(2)))
struct CrowdTests {
    /// How a device's connection ends.
    private enum Ending: CaseIterable { case goodbye, hangUp, refused }

    private static let devices = 12

    /// Two at work, two waiting, and a place is given up by nothing but the end of its connection.
    private static var limits: HubServerLimits {
        var limits = HubServerLimits()
        limits.crowd.placesMax = 2
        limits.crowd.waitingMax = 2
        limits.crowd.quietMilliseconds = 60_000
        limits.crowd.waitMillisecondsMax = 60_000
        limits.crowd.expectedMillisecondsMax = .max
        // However slow the machine is, nobody is left for taking long.
        limits.openingMilliseconds = 60_000
        limits.idleMilliseconds = 60_000
        limits.lingerMilliseconds = 60_000
        return limits
    }

    @Test("All are served, those turned away are told when to come, and no place is lost")
    func allAreServed() async throws {
        let hub = try TestHub()
        let devices = try await hub.serving { port in
            var devices: [TestDevice] = []
            for _ in 0..<Self.devices { devices.append(try await hub.joinedDevice(port: port)) }
            return devices
        }
        try await hub.serving(limits: Self.limits) { port in
            // Twice: the places of the first round are there for the second.
            for round in UInt64(1)...2 {
                let refusals = try await withThrowingTaskGroup(of: [Refusal].self) { group in
                    for (index, device) in devices.enumerated() {
                        let ending = Ending.allCases[index % Ending.allCases.count]
                        group.addTask {
                            try await Self.visit(device, port: port, sequence: round, ending)
                        }
                    }
                    return try await group.reduce(into: []) { $0 += $1 }
                }
                for refusal in refusals {
                    #expect(refusal.code == .busy && refusal.retry)
                    #expect((2...600).contains(refusal.retryAfterSeconds))
                }
            }
        }
        for device in devices {
            let record = try await hub.operatorStore.devices(store: nil).first {
                $0.id.text == device.id
            }
            #expect(record?.throughSequence == 2)
        }
    }

    private static let hello = Hello(versionMin: 1, versionMax: 1, agentVersion: "test")

    /// Comes again until it has been served.
    /// - Returns: what it was told until then.
    private static func visit(
        _ device: TestDevice, port: Int, sequence: UInt64, _ ending: Ending
    ) async throws -> [Refusal] {
        var refusals: [Refusal] = []
        while refusals.count < 2_000 {
            let refusal = try await device.connected(port: port) { connection -> Refusal? in
                try await connection.send(.hello(hello))
                switch try await connection.next() {
                case .refusal(let refusal): return refusal
                case .welcome: break
                case let other: throw TestFailure("no Welcome but \(String(describing: other))")
                }
                _ = try await connection.register()
                try await connection.upload(
                    sequence, [.close(CloseRecord(day: 19_000 + Int32(sequence)))], ack: sequence)
                switch ending {
                case .hangUp: break
                case .goodbye:
                    try await connection.send(.goodbye)
                    guard case .farewell = try await connection.next() else {
                        throw TestFailure("no Farewell")
                    }
                case .refused:
                    try await connection.send(.hello(hello))
                    #expect(try await connection.refusal().code == .outOfOrder)
                }
                return nil
            }
            guard let refusal else { return refusals }
            refusals.append(refusal)
            // Sooner than it is told to, but not so soon that handshakes are all that the machine does.
            try await Task.sleep(for: .milliseconds(20))
        }
        throw TestFailure("device \(device.id) was turned away \(refusals.count) times")
    }
}
