import Forecasting
import Foundation
import HubCore
import HubStore
import HubSync
import SyncProtocol
import TestSupport
import Testing

@Suite("The join rate limit")
struct JoinRateLimitTests {
    @Test("A burst is let in, then as many as are regained, and never more than a burst")
    func rows() {
        // burst 3, two a second: (milliseconds, admitted)
        let rows: [(Int64, Bool)] = [
            (0, true), (0, true), (0, true), (0, false), (499, false), (500, true), (500, false),
            (1000, true), (1000, false), (900, false), (1499, false), (1500, true),
            (86_400_000_000, true), (86_400_000_000, true), (86_400_000_000, true),
            (86_400_000_000, false),
        ]
        var limit = JoinRateLimit(burstMax: 3, perSecond: 2)
        for (index, (now, admitted)) in rows.enumerated() {
            #expect(limit.admit(atMilliseconds: now) == admitted, "row \(index)")
        }
    }
}

@Suite("Day totals cut into frames")
struct ContextFramesTests {
    @Test("Whatever is packed comes out again, in frames that stay below their target")
    func roundTrip() {
        var random = SeededGenerator(seed: 11)
        for itemCount in [1, 7, 300, 4096] {
            let items = (0..<itemCount).map { "item-\($0)" }
            var days: [StoreDay] = []
            for day in 0..<56 as Range<Int32> {
                var sold: [ItemDay] = []
                for item in 0..<UInt32(itemCount) where Bool.random(using: &random) {
                    sold.append(
                        ItemDay(itemIndex: item, units: .random(in: 1...9999, using: &random)))
                }
                days.append(
                    StoreDay(
                        day: day, closedAllDay: day % 7 == 0, final: day % 3 == 0, sold: sold))
            }
            let levels = (0..<itemCount).map {
                ItemLevel(itemIndex: UInt32($0), levelUnits: Float($0), day: 55)
            }
            let frames = ContextFrames.pack(
                items: items, days: days, levels: levels, ownShare: 0.25, knownRevision: 3,
                revision: 9)
            #expect(frames.dropLast().allSatisfy { $0.more && $0.revision == 3 })
            #expect(frames.last?.more == false)
            #expect(frames.last?.revision == 9)
            #expect(frames.allSatisfy { $0.ownShare == 0.25 })

            let back = frames.flatMap { frame in
                frame.days.map { day in
                    var day = day
                    for index in day.sold.indices {
                        let name = frame.items[Int(day.sold[index].itemIndex)]
                        day.sold[index].itemIndex = UInt32(name.dropFirst(5)) ?? .max
                    }
                    return day
                }
            }
            #expect(back == days)
            let names = frames.flatMap { frame in
                frame.levels.map { frame.items[Int($0.itemIndex)] }
            }
            #expect(names == items)
            for frame in frames {
                let bytes = encodeFrame(.context(frame)).count
                #expect(bytes <= MessageKind.context.payloadBytesMax)
                // One day may go over; with few items none does by much.
                if itemCount <= 300 { #expect(bytes < 2 * ContextFrames.payloadBytesTarget) }
            }
        }
    }

    @Test("Nothing new is one frame that says so")
    func empty() {
        #expect(
            ContextFrames.pack(
                items: ["1"], days: [], levels: [], ownShare: 0, knownRevision: 4, revision: 4)
                == [Context(revision: 4)])
    }
}

@Suite("How far a rollout has come")
struct RolloutProgressTests {
    private static let at = Timestamp(millisecondsSince1970: 0)
    private static let digest = Array(repeating: UInt8(5), count: 32)

    private static func rollout(_ id: UInt64, _ selector: String = "all") throws -> RolloutRecord {
        var rollout = RolloutRecord(family: "f", selector: try Selector(selector), createdAt: at)
        rollout.id = id
        return rollout
    }

    private static func device(_ status: DeviceStatus = .approved) throws -> DeviceRecord {
        DeviceRecord(
            id: try DeviceID("d"), store: try StoreID("1"), status: status, labels: [], token: 1,
            joinedAt: at)
    }

    private static func member(_ state: MemberState, wave: Int = 0) throws -> RolloutMember {
        RolloutMember(
            rollout: 1, device: try DeviceID("d"), wave: wave, state: state, digest: digest,
            reason: "best fit")
    }

    @Test("Each device's state is the one it has in the rollout", arguments: MemberState.allCases)
    func states(state: MemberState) throws {
        let progress = RolloutProgress(
            of: try Self.rollout(1), devices: [try Self.device()],
            members: [try Self.member(state)])
        let line = try #require(progress.lines.first)
        #expect(progress.lines.count == 1 && progress.count(line.state) == 1)
        switch state {
        case .waiting, .assigned, .trial, .goingBack: #expect(!progress.isSettled)
        case .active, .already, .refused, .rolledBack, .noFit, .superseded:
            #expect(progress.isSettled && line.reason == "best fit")
        }
        #expect(!line.reason.isEmpty && line.digest == Self.digest)
    }

    @Test("Who waits is told what for")
    func waiting() throws {
        func reason(
            _ device: DeviceRecord, _ rollout: RolloutRecord, _ member: RolloutMember? = nil
        ) -> String? {
            RolloutProgress(of: rollout, devices: [device], members: member.map { [$0] } ?? [])
                .lines.first?.reason
        }
        var late = try Self.rollout(1)
        late.createdAt = Self.at.advanced(bySeconds: 1)
        #expect(
            reason(try Self.device(), late) == "it has not been in touch since the push")
        #expect(reason(try Self.device(.pending), late) == "it waits for approval")
        var waves = RolloutRecord(
            family: "f", selector: .all, waveSizes: [1, 1], createdAt: Self.at)
        let second = try Self.member(.waiting, wave: 1)
        #expect(reason(try Self.device(), waves, second) == "its wave is not open yet")
        try waves.handle(.pause(why: ""), at: Self.at)
        #expect(
            reason(try Self.device(), waves, try Self.member(.waiting)) == "the rollout is paused")
    }

    @Test(
        "Revoked devices and those of no concern are left out, and nobody waits for an aborted one")
    func others() throws {
        let other = DeviceRecord(
            id: try DeviceID("e"), store: try StoreID("2"), status: .approved, labels: [],
            token: 1, joinedAt: Self.at)
        var progress = RolloutProgress(
            of: try Self.rollout(1, "store=2"), devices: [other, try Self.device()], members: [])
        #expect(progress.lines.map(\.device) == [other.id])
        progress = RolloutProgress(
            of: try Self.rollout(1), devices: [try Self.device(.revoked)], members: [])
        #expect(progress.lines.isEmpty)
        var aborted = try Self.rollout(1)
        try aborted.handle(.abort(why: "bad"), at: Self.at)
        progress = RolloutProgress(of: aborted, devices: [other], members: [])
        #expect(progress.isSettled)
    }
}

@Suite("Noticing changes")
struct ChangeWatchTests {
    @Test("Other processes' commits concern everybody, our own the stores they name")
    func watch() async throws {
        let hub = try TestHub()
        let serving = try SQLiteHubStore.open(in: hub.directory)
        let store = try StoreID("1")
        var watch = ChangeWatch(store: serving)
        // Who connected before has missed what was committed since.
        #expect(try await watch.look(changedHere: []) == .everybody)
        #expect(try await watch.look(changedHere: []) == .nobody)
        try await serving.setTimeZone("Europe/Berlin", of: store)
        #expect(try await watch.look(changedHere: [store]) == .stores([store]))
        #expect(try await watch.look(changedHere: []) == .nobody)
        try await hub.operatorStore.setTimeZone("UTC", of: store)
        #expect(try await watch.look(changedHere: []) == .everybody)
        #expect(try await watch.look(changedHere: []) == .nobody)
    }
}
