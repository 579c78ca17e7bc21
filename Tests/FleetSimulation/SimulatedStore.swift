import AgentCore
import AgentRuntime
import Crypto
import Forecasting
import Foundation
import HubCore
import HubStore
import HubSync
import Logging
import SyncProtocol

/// A real hub and the real devices of one store, without sockets between them: what one says goes through the
/// frames of the protocol to the other, and may be cut off anywhere.
final class SimulatedStore {
    static let store = "1"

    let hub: SQLiteHubStore
    let desk: DeviceDesk
    private(set) var devices: [SimulatedDevice] = []
    private let folder: String
    /// Days that the hub told a device in its own words, and how often one asked for all of it instead.
    private(set) var ownDays = 0
    private(set) var askedInFull = 0
    /// Calendars that the hub has sent.
    private(set) var calendars = 0

    struct Cut: Error {}
    struct Refused: Error { var message: String }

    init(deviceCount: Int) async throws {
        folder = NSTemporaryDirectory() + "shelfcast-fleet-" + UUID().uuidString.prefix(8)
        try FileManager.default.createDirectory(
            atPath: folder + "/hub/packages", withIntermediateDirectories: true)
        hub = try SQLiteHubStore.inMemory()
        desk = DeviceDesk(
            store: hub, identity: try HubIdentity.create(in: folder + "/hub"),
            dataDirectory: folder + "/hub",
            logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
        let secret = [UInt8](repeating: 7, count: 16)
        let now = Timestamp(millisecondsSince1970: 1_700_000_000_000)
        let digest = Array(SHA256.hash(data: secret))
        _ = try await hub.createToken(
            TokenRecord(
                secretSHA256: digest, store: try StoreID(Self.store), labels: [], createdAt: now,
                expiresAt: now.advanced(bySeconds: 3600), usesMax: deviceCount, approves: true))
        for number in 0..<deviceCount {
            let name = "device-\(number)"
            _ = try await hub.joinDevice(try DeviceID(name), tokenSecretSHA256: digest, at: now)
            devices.append(try SimulatedDevice(name, folder: folder + "/" + name))
        }
    }

    deinit { try? FileManager.default.removeItem(atPath: folder) }  // a temporary folder

    /// One visit of a device.
    /// - Parameter answersMax: the network is cut after so many frames of the hub; nil: it is not.
    func visit(_ number: Int, answersMax: Int? = nil) async throws {
        let service = devices[number].service
        var session = DeviceSession(
            peer: .device(try DeviceID(devices[number].name)),
            hubTimeMilliseconds: { 1_700_000_000_000 })
        var visit = Visit(mode: .visit)
        var answersLeft = answersMax ?? .max
        var (fromDevice, fromHub) = (FrameDecoder(from: .device), FrameDecoder(from: .hub))
        var said: Message? = visit.opening(agentVersion: "test")
        while let message = said {
            if case .contextRequest(let request) = message, request.inFull { askedInFull += 1 }
            fromDevice.push(encodeFrame(message))
            while let arrived = try fromDevice.next() {
                for answer in try await answers(of: &session, to: arrived) {
                    guard answersLeft > 0 else { throw Cut() }
                    answersLeft -= 1
                    if case .context(let context) = answer {
                        ownDays += context.days.count { $0.ownItems > 0 }
                        if context.calendar != nil { calendars += 1 }
                    }
                    fromHub.push(encodeFrame(answer))
                }
            }
            while let arrived = try fromHub.next() {
                for action in try visit.receive(arrived) { try service.perform(action) }
            }
            said = nil
            while said == nil, !visit.hasLeft {
                guard let next = visit.next(try service.work()) else {
                    throw Refused(message: "neither side has anything to say")
                }
                said = try service.message(for: next, frameBytesMax: visit.frameBytesMax)
                    .map { visit.ask($0) }
            }
        }
    }

    private func answers(
        of session: inout DeviceSession, to message: Message
    ) async throws -> [Message] {
        var sent: [Message] = []
        var queue = session.handle(.received(message))[...]
        while let action = queue.popFirst() {
            switch action {
            case .send(.refusal(let refusal)): throw Refused(message: refusal.message)
            case .send(let answer): sent.append(answer)
            case .ask(let question):
                queue += session.handle(.answered(await desk.answer(question)))
            case .close: break
            }
        }
        return sent
    }

    /// The operator imports a day's total of an item.
    func importTotal(of item: String, on day: BusinessDay, units: Int32) async throws {
        _ = try await hub.importSales { sink in
            let series = try sink.series(store: try StoreID(Self.store), item: try ItemID(item))
            try [SalesRow(series: series, daysSince1970: day.daysSince1970, units: units)]
                .withUnsafeBufferPointer { try sink.upsert($0) }
        }
    }

    /// What the hub would tell a new device of all days from `first` on, levels included.
    func truth(for device: Int, from first: BusinessDay) async throws -> StoreContext? {
        guard let ledger = try await hub.ledger(store: try StoreID(Self.store), from: first)
        else { return nil }
        return StoreContext.decide(
            ledger, device: try DeviceID(devices[device].name), knownRevision: 0)
    }
}

final class SimulatedDevice {
    let name: String
    let service: AgentService
    private(set) var lost = 0

    init(_ name: String, folder: String) throws {
        self.name = name
        try FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: true)
        _ = Crypto.setUp()
        let key = AgentRuntime.Crypto.makeKey() ?? []
        _ = Identity(
            hubHost: "127.0.0.1", hubPort: 7420, deviceID: name, store: SimulatedStore.store,
            timeZone: "UTC", ca: [1], certificate: [2], key: key
        ).save(in: folder)
        _ = Configuration(budgetBytes: 20_000, labels: []).save(in: folder)
        service = try AgentService(store: try AgentStore.open(directory: folder, checks: false))
    }

    /// Own sales of a day, but not what the hub has of them, are gone: a part of the database was lost.
    func lose(_ day: BusinessDay) throws {
        _ = try service.store.ownUnits(of: day)
        try service.store.database.run(
            "DELETE FROM ownDay WHERE day = ? AND item > 'b'",
            [.integer(Int64(day.daysSince1970))])
    }

    /// The store's days as this device has them, as text: flags, then items and units.
    func storeDays() throws -> [Int32: String] {
        var days: [Int32: String] = [:]
        let database = service.store.database
        try database.query(
            "SELECT day, isFinal, isClosedAllDay FROM storeDay", columns: 3
        ) { row in
            days[Int32(row[0].integer)] = "\(row[1].integer) \(row[2].integer)"
            return true
        }
        try database.query(
            "SELECT day, item, units FROM storeItemDay ORDER BY day, item", columns: 3
        ) { row in
            days[Int32(row[0].integer), default: "stray"] +=
                " \(String(decoding: row[1].bytes, as: UTF8.self)):\(row[2].integer)"
            return true
        }
        return days
    }
}
