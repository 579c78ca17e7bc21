import AgentCore
import AgentRuntime
import Forecasting
import Foundation
import ModelPackage
import SyncProtocol
import TestSupport
import Testing

/// The production link of a device in this process, at a time of the test's own, against a hub of another process.
@Suite(
    "A hub that falls silent", .enabled(if: StockPython.path != nil, StockPython.missing),
    .timeLimit(.minutes(5)))
struct HangTests {
    private final class Device {
        let hub: StockHub
        let service: AgentService
        let link: HubLink
        /// Steady milliseconds.
        var now: Int64 = 0
        /// How long each contact that failed was waited after.
        var waits: [Int64] = []

        init(_ hub: StockHub) throws {
            self.hub = hub
            #expect(Crypto.setUp())
            service = try AgentService(
                store: try AgentStore.open(directory: hub.deviceFolder, checks: false))
            link = HubLink(service, now: 0)
        }

        var isAway: Bool { link.stateName == "disconnected" }

        /// Questions that the hub has heard and left without an answer.
        private func silences() throws -> Int { try hub.heard().count { $0.silent == true } }

        func heard(_ message: String) throws -> [StockHub.Heard] {
            try hub.heard().filter { $0.message == message }
        }

        /// Does what can be done without time going by, until something has happened.
        func turn(until hasHappened: () throws -> Bool) throws {
            for _ in 0..<2_000 {
                link.turn(now: now)
                if try hasHappened() { return }
                if let interest = link.interest {
                    var wanted = pollfd(fd: interest.descriptor, events: Int16(POLLIN), revents: 0)
                    poll(&wanted, 1, 10)
                }
            }
            Issue.record("nothing happens: \(link.stateName), \(link.lastFailure ?? "")")
        }

        /// A whole contact with an honest hub.
        func visit() throws {
            now = max(now, link.wakeAt)
            link.contactNow(now: now)
            var outcome: HubLink.Outcome?
            try turn {
                outcome = link.takeOutcome()
                return outcome != nil
            }
            #expect(outcome == .settled)
        }

        /// Up to a question that is not answered, and on until the link has given it up.
        func hang() throws {
            let before = try silences()
            now = max(now, link.wakeAt)
            try turn { try silences() > before }
            now += 29_999
            link.turn(now: now)
            #expect(!isAway)
            now += 1
            link.turn(now: now)
            #expect(isAway)
            waits.append(link.wakeAt - now)
        }
    }

    private func offer(_ package: ModelPackage, _ hub: StockHub) throws -> [String: Any] {
        [
            "file": try hub.file(package.encode(), named: "package"),
            "says": [
                "arenaBytes": "\(package.arenaBytes())",
                "release": "\(package.manifest.release)", "family": package.manifest.family,
                "variant": package.manifest.variant, "store": package.manifest.store?.text ?? "",
            ],
        ]
    }

    private static let day = BusinessDay(daysSince1970: 19_727)

    @Test(
        "in the middle of a package is left after 30 s, asked again ever more slowly, and keeps nothing else from it"
    )
    func fetch() async throws {
        let hub = try await StockHub()
        let package = try SmallPackage.make(release: 1)
        try hub.behave("silent-in-fetch", offer: try offer(package, hub))
        let device = try Device(hub)
        try device.service.sell(3, of: "1", on: Self.day)
        // What is owed to the hub beside, and comes after a fetch.
        try device.service.store.queueReport(
            digest: [UInt8](repeating: 7, count: 32), outcome: .refused, reason: "r", arenaBytes: 0)
        try device.hang()
        #expect(device.link.lastFailure == "the hub did not answer within 30 s")
        #expect(try device.heard("PackageReport").isEmpty)
        #expect(try hub.sales() == ["19727 1": 3], "sales go first")
        try device.service.sell(4, of: "1", on: Self.day)
        try device.hang()
        #expect(try device.heard("PackageReport").count == 1, "a fetch that hung comes last")
        #expect(try hub.sales() == ["19727 1": 7])
        for _ in 0..<8 { try device.hang() }
        // As often as any other failed contact: between half and all of a step that doubles up to a minute.
        #expect(device.waits.allSatisfy { $0 >= 250 && $0 <= 60_000 })
        #expect(device.waits.suffix(2).allSatisfy { $0 >= 30_000 })
        #expect(device.service.update.name == "fetching" && device.service.running == nil)

        try hub.behave(offer: try offer(package, hub))
        let before = try device.heard("Fetch").count
        try device.visit()
        #expect(device.service.running?.release == 1)
        let offsets = try device.heard("Fetch").dropFirst(before).map { $0.content?.offset }
        #expect(offsets.first == "64", "what was here was not fetched again")
        #expect(
            try device.heard("PackageReport").map { $0.content?.outcome }.last == "OUTCOME_ACTIVE")
    }

    @Test("but pings on is left after two minutes")
    func pings() async throws {
        let hub = try await StockHub()
        try hub.behave("pings-in-fetch", offer: try offer(try SmallPackage.make(release: 1), hub))
        let device = try Device(hub)
        try device.turn { try device.heard("Fetch").count == 2 }
        let asked = device.now
        while !device.isAway, device.now < asked + 600_000 {
            device.now += 20_000
            let pongs = try device.heard("Pong").count
            // One may have been on its way before.
            try device.turn { try device.isAway || device.heard("Pong").count > pongs + 1 }
        }
        #expect(device.now - asked == 120_000)
        #expect(device.link.lastFailure == "the hub's answer was not whole within 120 s")
    }

    @Test("but gives a byte now and then keeps no radio awake, and costs nothing that has come")
    func drip() async throws {
        let hub = try await StockHub()
        let package = try SmallPackage.make(release: 1)
        var wished = try offer(package, hub)
        wished["serve"] = "drip"
        try hub.behave(offer: wished)
        let device = try Device(hub)
        var fetches = 0
        // Each byte comes half a minute after it was asked for.
        while fetches < 100 {
            try device.turn { try device.isAway || device.heard("Fetch").count > fetches }
            guard !device.isAway else { break }
            fetches = try device.heard("Fetch").count
            device.now += 29_000
        }
        // Five minutes, and what the bytes of registering and of the frames around each byte add.
        #expect((300_000...1_200_000).contains(device.now), "\(device.now), \(fetches) bytes")
        let said = try #require(device.link.lastFailure)
        #expect(said == "the hub answers more slowly than 64 bytes a second")
        print(
            "attack | slow retrieval: a byte now and then | leaves after \(device.now / 60_000) minutes; says: \(said)"
        )

        try hub.behave(offer: try offer(package, hub))
        let before = try device.heard("Fetch").count
        try device.visit()
        #expect(device.service.running?.release == 1)
        let first = try device.heard("Fetch").dropFirst(before).first?.content?.offset
        // The last byte may have come just as the device left.
        #expect(["\(fetches - 1)", "\(fetches)"].contains(first), "what came is not fetched again")
    }

    @Test("at a report stops no package from working and no sale from arriving")
    func report() async throws {
        let hub = try await StockHub()
        let package = try SmallPackage.make(release: 1)
        try hub.behave("silent-in-report", offer: try offer(package, hub))
        let device = try Device(hub)
        try device.hang()
        #expect(device.service.running?.release == 1)
        for units in 1...4 {
            try device.service.sell(UInt32(units), of: "1", on: Self.day)
            try device.hang()
            #expect(try hub.sales()["19727 1"] == units * (units + 1) / 2)
        }
        let closing = try device.service.close(Self.day, isClosedAllDay: false)
        #expect(closing.nextForecasts == 1)
        try device.hang()
        // A newer package comes although nobody has heard of this one.
        let newer = try SmallPackage.make(release: 2, seed: 9)
        try hub.behave("silent-in-report", offer: try offer(newer, hub))
        try device.hang()
        #expect(device.service.running?.release == 2)
        try hub.behave(offer: try offer(newer, hub))
        let before = try device.heard("PackageReport").count
        try device.visit()
        let told = try device.heard("PackageReport").dropFirst(before)
        #expect(told.map { $0.content?.outcome } == ["OUTCOME_ACTIVE", "OUTCOME_ACTIVE"])
        try device.visit()
        #expect(try device.heard("PackageReport").count == before + 2)
    }
}
