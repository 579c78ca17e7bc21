import Forecasting
import Foundation
import ModelPackage
import TestSupport
import Testing

/// The shipped program against a hub written from SPEC.md and sync.proto alone.
@Suite(
    "A device whose hub", .enabled(if: StockPython.path != nil, StockPython.missing),
    .timeLimit(.minutes(5)))
struct HostileHubTests {
    private static let misdeeds = [
        "another-ca", "another-name", "old-tls", "garbage", "unknown-kind", "oversized-welcome",
        "devices-own-kind", "version-nobody-offered", "answer-to-nothing", "malformed-state",
        "state-without-target", "oversized-metadata", "endless-metadata", "countless-metadata",
        "cut-frame", "busy", "oversized-context",
        "context-beyond-its-items", "context-beyond-the-names",
        "context-far-beyond-the-names", "context-of-no-numbers", "gone-before-commit",
        "gone-after-commit", "acknowledges-nothing",
    ]

    @Test(
        "misbehaves says what is wrong, stays whole, and delivers every sale once when it can",
        arguments: StockHub.Form.all)
    func misdeeds(form: StockHub.Form) async throws {
        let hub = try await StockHub(form)
        for (index, act) in Self.misdeeds.enumerated() {
            let sold = try await hub.agent("sale", "1", "\(index + 1)", "--day", "2024-01-05")
            #expect(sold.status == 0, "\(act): \(sold)")
            try hub.behave(act)
            let failed = try await hub.agent("sync")
            // 1 failed, 3 refused, 5 unreachable: never a success, never a signal.
            #expect([1, 3, 5].contains(failed.status), "\(act): \(failed)")
            #expect(!failed.errors.isEmpty, "\(act)")
        }
        try hub.behave()
        let synced = try await hub.agent("sync")
        #expect(synced.status == 0, "\(synced)")
        let total = Self.misdeeds.indices.reduce(0) { $0 + $1 + 1 }
        #expect(try hub.sales() == ["19727 1": total])
    }

    @Test(
        "is of a later version, or slow as can be, is served as any other",
        arguments: ["later-version", "one-byte-at-a-time"])
    func unusual(act: String) async throws {
        let hub = try await StockHub()
        _ = try await hub.agent("sale", "1", "4", "--day", "2024-01-05")
        try hub.behave(act)
        let synced = try await hub.agent("sync")
        #expect(synced.status == 0, "\(synced)")
        #expect(try hub.sales() == ["19727 1": 4])
    }

    @Test("loses the answer to an upload does not get the sales twice")
    func lostAnswer() async throws {
        let hub = try await StockHub()
        _ = try await hub.agent("sale", "1", "4", "--day", "2024-01-05")
        try hub.behave("gone-after-commit")
        #expect(try await hub.agent("sync").status != 0)
        _ = try await hub.agent("sale", "1", "5", "--day", "2024-01-05")
        try hub.behave()
        #expect(try await hub.agent("sync").status == 0)
        #expect(try hub.sales() == ["19727 1": 9])
        #expect(try hub.heard().last { $0.stored != nil }?.stored == 2)
    }

    struct Offer: Sendable {
        var name: String
        var release: UInt64 = 8
        var variant = "profile-2"
        /// What the metadata says instead of the truth.
        var says: [String: String] = [:]
        var serve = "well"
        /// Done to the file before it is signed.
        var spoil: @Sendable (inout ModelPackage, inout [UInt8]) -> Void = { _, _ in }
        /// A word that has to be in the reason.
        var because: String
    }

    static let offers: [Offer] = [
        Offer(name: "older release", release: 6, because: "older"),
        Offer(name: "same release, other content", release: 7, because: "release"),
        Offer(name: "a bit flipped on the way", serve: "flipped", because: "SHA-256"),
        Offer(name: "longer than signed", serve: "longer", because: "bytes"),
        Offer(name: "for another store", says: ["store": "2"], because: "store"),
        Offer(name: "larger than any", says: ["packageBytes": "99000000000"], because: "bytes"),
        Offer(name: "arena over budget", says: ["arenaBytes": "99000000"], because: "budget"),
        Offer(name: "arena understated", says: ["arenaBytes": "64"], because: "arena"),
        Offer(name: "release overstated", says: ["release": "9"], because: "release"),
        Offer(name: "variant misnamed", says: ["variant": "big"], because: "variant"),
        Offer(name: "family misnamed", says: ["family": "g"], because: "family"),
        Offer(
            name: "no package at all",
            spoil: { _, content in content = [UInt8]("no package at all".utf8) }, because: "package"
        ),
        Offer(
            name: "cut short before it was signed",
            spoil: { _, content in content.removeLast(9) }, because: "ends"),
        Offer(
            name: "golden vector not met",
            spoil: { package, content in
                package.goldenVectors[0].networkOutput += 1
                content = package.encode()
            }, because: "golden"),
    ]

    @Test(
        "offers a package that may not run here keeps what runs, and is told why",
        arguments: StockHub.Form.all)
    func packages(form: StockHub.Form) async throws {
        let hub = try await StockHub(form)
        let good = try SmallPackage.make(release: 7)
        try hub.behave(offer: try offer(good, good.encode(), "good", hub))
        #expect(try await hub.agent("sync").status == 0)
        let activated = try #require(try report(hub))
        #expect(activated.outcome == "OUTCOME_ACTIVE", "\(activated)")
        let running = try #require(activated.running)
        #expect(running.release == "7" && running.digest == activated.digest)

        for (index, row) in Self.offers.enumerated() {
            var package = try SmallPackage.make(
                release: row.release, variant: row.variant, seed: Int8(20 + index))
            var content = package.encode()
            row.spoil(&package, &content)
            var wished = try offer(package, content, "offer-\(index)", hub)
            var says = try #require(wished["says"] as? [String: String])
            says.merge(row.says) { $1 }
            wished["says"] = says
            wished["serve"] = row.serve
            try hub.behave(row.name, offer: wished)
            // A bad copy is tried more than once before the package is given up.
            for _ in 0..<4 {
                let synced = try await hub.agent("sync")
                #expect(synced.status == 0, "\(row.name): \(synced)")
            }
            let told = try hub.heard().filter {
                $0.act == row.name && $0.message == "PackageReport"
            }
            .compactMap(\.content)
            #expect(!told.isEmpty, "\(row.name)")
            for report in told {
                #expect(report.outcome == "OUTCOME_REFUSED", "\(row.name)")
                #expect(report.running?.digest == running.digest, "\(row.name)")
                #expect(report.reason?.contains(row.because) == true, "\(row.name): \(report)")
            }
        }
        let status = try await hub.agent("status", "--json")
        #expect(status.output.contains("\"release\":7"), "\(status.output)")

        // And what is newer and sound is taken as if nothing had been.
        let newer = try SmallPackage.make(release: 30, seed: 99)
        try hub.behave(offer: try offer(newer, newer.encode(), "newer", hub))
        #expect(try await hub.agent("sync").status == 0)
        #expect(try report(hub)?.outcome == "OUTCOME_ACTIVE")
        #expect(try report(hub)?.running?.release == "30")
    }

    @Test("breaks off in the middle of a package goes on behind the last byte it got")
    func resume() async throws {
        let hub = try await StockHub()
        let package = try SmallPackage.make(release: 1)
        var wished = try offer(package, package.encode(), "package", hub)
        wished["serve"] = "cut"
        try hub.behave("cut", offer: wished)
        #expect(try await hub.agent("sync").status != 0)
        wished["serve"] = "well"
        try hub.behave("resumed", offer: wished)
        #expect(try await hub.agent("sync").status == 0)
        let asked = try hub.heard().filter { $0.act == "resumed" && $0.message == "Fetch" }
        #expect(asked.first?.content?.offset == "64")
        #expect(try report(hub)?.outcome == "OUTCOME_ACTIVE")
    }

    @Test(
        "sends other pieces than were asked for takes none of them",
        arguments: ["elsewhere", "another-digest"])
    func otherPieces(serve: String) async throws {
        let hub = try await StockHub()
        let package = try SmallPackage.make(release: 1)
        var wished = try offer(package, package.encode(), "package", hub)
        wished["serve"] = serve
        try hub.behave(serve, offer: wished)
        _ = try await hub.agent("sync")
        #expect(try report(hub)?.outcome != "OUTCOME_ACTIVE")
        // It does not ask for the same piece for ever.
        let asked = try hub.heard().filter { $0.act == serve && $0.message == "Fetch" }
        #expect(asked.count == 1)
    }

    private func report(_ hub: StockHub) throws -> StockHub.Heard.Content? {
        try hub.heard().last { $0.message == "PackageReport" }?.content
    }

    /// An offer whose metadata says the truth about `package`.
    private func offer(
        _ package: ModelPackage, _ content: [UInt8], _ name: String, _ hub: StockHub
    ) throws -> [String: Any] {
        [
            "file": try hub.file(content, named: name),
            "says": [
                "arenaBytes": "\(package.arenaBytes())",
                "release": "\(package.manifest.release)", "family": package.manifest.family,
                "variant": package.manifest.variant, "store": package.manifest.store?.text ?? "",
            ],
        ]
    }
}
