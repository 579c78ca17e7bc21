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

    private static func assignment(
        digest: [UInt8]?, _ outcome: HubCore.PackageOutcome? = nil, _ reason: String? = nil
    ) throws -> AssignmentRecord {
        var assignment = AssignmentRecord(
            device: try DeviceID("d"), rollout: 1, digest: digest, reason: "best fit",
            decidedAt: at)
        assignment.outcome = outcome
        assignment.outcomeReason = reason
        return assignment
    }

    @Test("Each device's state follows from its assignment and what it said")
    func states() throws {
        var running = try Self.device()
        running.running = HubCore.RunningPackage(digest: Self.digest, release: 1, arenaBytes: 1)
        let rows: [(DeviceRecord, AssignmentRecord?, RolloutProgress.State, String)] = [
            (try Self.device(), nil, .waiting, "it has not been in touch since the push"),
            (try Self.device(.pending), nil, .waiting, "it waits for approval"),
            (try Self.device(), try Self.assignment(digest: nil), .noFit, "best fit"),
            (try Self.device(), try Self.assignment(digest: Self.digest), .assigned, "best fit"),
            (running, try Self.assignment(digest: Self.digest), .active, "best fit"),
            (
                try Self.device(), try Self.assignment(digest: Self.digest, .active), .active,
                "best fit"
            ),
            (
                try Self.device(), try Self.assignment(digest: Self.digest, .refused, "no"),
                .refused, "no"
            ),
            (
                try Self.device(), try Self.assignment(digest: Self.digest, .rolledBack, "worse"),
                .rolledBack, "worse"
            ),
        ]
        for (device, assignment, state, reason) in rows {
            let progress = RolloutProgress(
                of: try Self.rollout(1), devices: [device], rollouts: [try Self.rollout(1)],
                assignments: assignment.map { [$0] } ?? [])
            #expect(progress.lines.map(\.state) == [state])
            #expect(progress.lines.map(\.reason) == [reason])
            #expect(progress.isSettled == (state != .waiting && state != .assigned))
            #expect(progress.count(state) == 1)
        }
    }

    @Test("Devices of a newer rollout are no longer waited for; revoked and others are left out")
    func others() throws {
        var other = DeviceRecord(
            id: try DeviceID("e"), store: try StoreID("2"), status: .approved, labels: [],
            token: 1, joinedAt: Self.at)
        let rollouts = [try Self.rollout(2, "store=2"), try Self.rollout(1)]
        var progress = RolloutProgress(
            of: rollouts[1], devices: [other, try Self.device(.revoked)], rollouts: rollouts,
            assignments: [])
        #expect(progress.lines.map(\.state) == [.superseded])
        #expect(progress.isSettled)
        other.status = .revoked
        progress = RolloutProgress(
            of: rollouts[0], devices: [other, try Self.device()], rollouts: rollouts,
            assignments: [])
        #expect(progress.lines.isEmpty)
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
        #expect(try await watch.look(changedHere: []) == .nobody)
        try await serving.setTimeZone("Europe/Berlin", of: store)
        #expect(try await watch.look(changedHere: [store]) == .stores([store]))
        #expect(try await watch.look(changedHere: []) == .nobody)
        try await hub.operatorStore.setTimeZone("UTC", of: store)
        #expect(try await watch.look(changedHere: []) == .everybody)
        #expect(try await watch.look(changedHere: []) == .nobody)
    }
}
