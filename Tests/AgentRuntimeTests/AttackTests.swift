import AgentRuntime
import Forecasting
import Foundation
import ModelPackage
import TestSupport
import Testing

/// The shipped program against a hub that has everything but the keys of the repository: the right CA, the listener's key,
/// the packages, and all metadata that was ever signed. `make attacks` prints what is said here.
@Suite(
    "A hub without the repository's keys",
    .enabled(if: StockPython.path != nil, StockPython.missing), .timeLimit(.minutes(10)))
struct AttackTests {
    struct Attack: Sendable {
        var name: String
        /// One of repository.py's ways to deceive.
        var sign = "well"
        var serve = "well"
        var named = "well"
        var release: UInt64 = 20
        /// What honest metadata says of the package.
        var says: [String: String] = [:]
        var daysAhead = 0
        var outcome = "OUTCOME_UNTRUSTED"
        /// A bad copy may be the network's: the hub hears of it when the third is bad too.
        var copies = 1
        /// Words of the reason.
        var because: String
    }

    static let attacks: [Attack] = [
        Attack(
            name: "arbitrary package: metadata under keys of one's own", sign: "other-key",
            because: "0 of the 1 signatures"),
        Attack(
            name: "arbitrary package: a root of one's own", sign: "other-root",
            because: "root: 0 of the 1 signatures"),
        Attack(
            name: "arbitrary package: other bytes under its name", serve: "flipped",
            outcome: "OUTCOME_REFUSED", copies: 3, because: "SHA-256"),
        Attack(
            name: "arbitrary package: another one under a listed name", named: "another-digest",
            because: "names another package"),
        Attack(
            name: "arbitrary package: one that nobody listed", named: "another-target",
            because: "lists this package"),
        Attack(
            name: "arbitrary package: metadata changed on the way", sign: "flipped-metadata",
            because: "targets: 0 of the 1 signatures"),
        Attack(
            name: "arbitrary package: signatures changed on the way", sign: "flipped-signature",
            because: "0 of the 1 signatures"),
        Attack(
            name: "rollback of all metadata", sign: "rolled-back", because: "after version"),
        Attack(
            name: "rollback of the timestamp", sign: "old-timestamp", because: "after version"),
        Attack(
            name: "rollback to an older package that is still listed", release: 6,
            outcome: "OUTCOME_REFUSED", because: "older than release"),
        Attack(
            name: "freeze: nothing newer is shown", sign: "nothing", because: "lists this package"),
        Attack(
            name: "freeze: until what was shown has expired", sign: "nothing", daysAhead: 6_000,
            because: "expired on 2040-01-01"),
        Attack(
            name: "mix and match: older targets under the newest snapshot", sign: "mixed",
            because: "where version"),
        Attack(
            name: "mix and match: an older snapshot under the newest timestamp",
            sign: "mixed-snapshot", because: "where version"),
        Attack(
            name: "endless data: more bytes than were signed for", serve: "longer",
            outcome: "OUTCOME_REFUSED", copies: 3, because: "bytes"),
        Attack(name: "metadata that is no JSON", sign: "garbage", because: "timestamp: "),
        Attack(
            name: "another store's package", says: ["store": "2"], outcome: "OUTCOME_REFUSED",
            because: "for store 2"),
    ]

    @Test(
        "makes a device run nothing, lead it nowhere back, and hide nothing",
        arguments: StockHub.Form.all)
    func packages(form: StockHub.Form) async throws {
        let hub = try await StockHub(form)
        let good = try SmallPackage.make(release: 7)
        try hub.behave(offer: try offer(good, "good", hub))
        #expect(try await hub.agent("sync").status == 0)
        let better = try SmallPackage.make(release: 8, seed: 9)
        try hub.behave(offer: try offer(better, "better", hub))
        #expect(try await hub.agent("sync").status == 0)
        let running = try #require(try hub.heard().compactMap(\.content?.running).last)
        #expect(running.release == "8")

        for (index, attack) in Self.attacks.enumerated() {
            let release = attack.release == 20 ? 20 + UInt64(index) : attack.release
            let package = try SmallPackage.make(release: release, seed: Int8(40 + index))
            var wished = try offer(package, "attack-\(index)", hub)
            var says = try #require(wished["says"] as? [String: String])
            says.merge(attack.says) { $1 }
            wished["says"] = says
            wished["sign"] = attack.sign
            wished["serve"] = attack.serve
            wished["name"] = attack.named
            try hub.behave(attack.name, offer: wished, daysAhead: attack.daysAhead)
            var synced = try await hub.agent("sync")
            for _ in 1..<attack.copies { synced = try await hub.agent("sync") }
            // So late the device asks for a new certificate too, which this hub does not give.
            #expect(
                synced.status == 0 || attack.daysAhead > 0 && synced.status == 5,
                "\(attack.name): \(synced)")
            // The hub hears what is wrong, and what goes on running.
            let told = try #require(
                try hub.heard().last {
                    $0.act == attack.name && $0.message == "PackageReport"
                }?.content, "\(attack.name)")
            #expect(told.outcome == attack.outcome, "\(attack.name): \(told)")
            #expect(told.reason?.contains(attack.because) == true, "\(attack.name): \(told)")
            #expect(told.running?.digest == running.digest, "\(attack.name)")
            // So does whoever asks the device.
            let status = try await hub.agent("status", "--json")
            #expect(status.output.contains("\"release\":8,"), "\(attack.name)")
            if attack.outcome == "OUTCOME_UNTRUSTED" {
                #expect(status.output.contains(attack.because), "\(attack.name): \(status)")
            }
            Self.tell(attack.name, "runs on; says: \(told.reason ?? "")", form)
        }

        // Nothing of it lasts: what is newer and signed for is taken.
        let newer = try SmallPackage.make(release: 90, seed: 99)
        try hub.behave(offer: try offer(newer, "newer", hub))
        #expect(try await hub.agent("sync").status == 0)
        #expect(try hub.heard().compactMap(\.content?.running).last?.release == "90")
    }

    static let floods: [(act: String, name: String, because: String)] = [
        ("oversized-metadata", "endless data: metadata beyond its ceiling", "at most"),
        ("endless-metadata", "endless data: metadata without end", "more update metadata"),
        ("countless-metadata", "endless data: files without end", "more update metadata"),
        ("revoked", "a hub that says the device is revoked", "revoked"),
        ("copied", "a hub that says another device has its identity", "identity"),
    ]

    @Test(
        "costs a device no more than a connection when it floods it or turns it away",
        arguments: StockHub.Form.all)
    func floods(form: StockHub.Form) async throws {
        let hub = try await StockHub(form)
        let good = try SmallPackage.make(release: 7)
        try hub.behave(offer: try offer(good, "good", hub))
        #expect(try await hub.agent("sync").status == 0)
        for row in Self.floods {
            try hub.behave(row.act)
            let failed = try await hub.agent("sync")
            #expect([1, 3, 5].contains(failed.status), "\(row.name): \(failed)")
            #expect(failed.errors.contains(row.because), "\(row.name): \(failed)")
            let sold = try await hub.agent("sale", "1", "2", "--day", "2024-01-05")
            #expect(sold.status == 0)
            let status = try await hub.agent("status", "--json")
            #expect(status.output.contains("\"release\":7,"), "\(row.name)")
            let said = failed.errors.split(separator: "\n").first ?? ""
            Self.tell(row.name, "runs on, keeps its sales; says: \(said)", form)
        }
        try hub.behave()
        #expect(try await hub.agent("sync").status == 0)
        #expect(try hub.sales() == ["19727 1": 2 * Self.floods.count])
    }

    private static func tell(_ attack: String, _ result: String, _ form: StockHub.Form) {
        print("attack | \(attack) | \(result) | \(form.testDescription)")
    }

    private func offer(
        _ package: ModelPackage, _ name: String, _ hub: StockHub
    ) throws -> [String: Any] {
        [
            "file": try hub.file(package.encode(), named: name),
            "says": [
                "arenaBytes": "\(package.arenaBytes())",
                "release": "\(package.manifest.release)", "family": package.manifest.family,
                "variant": package.manifest.variant, "store": package.manifest.store?.text ?? "",
            ],
        ]
    }
}
