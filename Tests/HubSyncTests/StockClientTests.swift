import Crypto
import Forecasting
import Foundation
import HubCore
import HubStore
import HubSync
import SyncProtocol
import TestSupport
import Testing

/// A device that shares no code with the hub: generated from sync.proto, written from SPEC.md.
@Suite(
    "A device made from sync.proto alone",
    .enabled(if: StockPython.path != nil, StockPython.missing),
    .timeLimit(.minutes(3)))
struct StockClientTests {
    private let hub: TestHub
    private let peer: StockPeer

    init() throws {
        var limits = HubServerLimits()
        // The peer closes when it has read the last word; on a machine under load that takes a while.
        limits.lingerMilliseconds = 5_000
        hub = try TestHub(limits: limits)
        peer = try StockPeer()
    }

    private func tokenText(
        port: Int, uses: Int = 100, expiresInSeconds: Int64 = 3_600, approves: Bool = true
    ) async throws -> String {
        JoinToken(
            host: "127.0.0.1", port: UInt32(port),
            caSha256: Array(SHA256.hash(data: try hub.identity.authority.rootDER)),
            secret: try await hub.token(
                store: "7", uses: uses, expiresInSeconds: expiresInSeconds, approves: approves)
        ).text
    }

    private func joined(port: Int) async throws -> StockPeer.Told {
        let told = try await peer.run("join", try await tokenText(port: port))
        return try #require(told.first)
    }

    /// Units of item 1 on day 20,000, as the hub would train on them; nil when it knows nothing.
    private func unitsInTheHub() async throws -> Int32? {
        let histories = try await hub.operatorStore.histories(
            store: try StoreID("7"), through: nil)
        let item = try ItemID("1")
        let series = try #require(histories.first { $0.item == item })
        return series.days[20_000 - Int(series.firstDay.daysSince1970)].units
    }

    private static let sales = [
        #"{"sale": {"day": 20000, "item": "1", "units": 3}}"#,
        #"{"sale": {"day": 20000, "item": "1", "units": 4}}"#,
        #"{"sale": {"day": 20000, "item": "2", "units": 1}}"#,
        #"{"forecast": {"day": 20000, "item": "1", "forecastUnits": 6.5, "networkOutput": -3, "release": 1, "actualUnits": 7}}"#,
        #"{"close": {"day": 20000}}"#,
    ]

    @Test("joins, checking the CA against the token, and is known by the name it was given")
    func join() async throws {
        try await hub.serving { port in
            let told = try await joined(port: port)
            #expect(told.store == "7" && told.approved == true && told.timeZone == "UTC")
            #expect(try #require(told.clockOffSeconds) < 60)
            let id = try DeviceID(try #require(told.deviceId))
            let device = try #require(try await hub.operatorStore.device(id))
            #expect(device.store == (try StoreID("7")))
        }
    }

    @Test("uploads; the same records again change nothing; the store's totals come back to it")
    func upload() async throws {
        try await hub.serving { port in
            _ = try await joined(port: port)
            let file = try peer.write(Self.sales, to: "sales.jsonl")
            let first = try #require(try await peer.run("visit", "--upload", file).first)
            #expect(first.storedThroughSequence == 0 && first.throughSequence == 5)
            #expect(first.closed == true)
            #expect(try #require(first.nextContactSeconds) > 0)
            #expect(try await unitsInTheHub() == 7)

            let again = try await peer.run("visit", "--upload", file, "--first", "1", "--context")
            #expect(again.first?.storedThroughSequence == 5)
            #expect(again.first?.throughSequence == 5)
            #expect(try await unitsInTheHub() == 7)

            let context = try #require(again.first?.context)
            #expect(context.last?.more != true)
            let day = try #require(context.flatMap { $0.days ?? [] }.first { $0.day == 20_000 })
            let items = try #require(context.first?.items)
            let sold = try #require(day.sold).map {
                "\(items[$0.itemIndex ?? 0])=\($0.units ?? 0)"
            }
            #expect(sold.sorted() == ["1=7", "2=1"])
            #expect(day.final == true)
        }
    }

    @Test(
        "believes a package by the reference client, and fetches it, in odd pieces and from the middle"
    )
    func fetch() async throws {
        try await hub.serving { port in
            _ = try await joined(port: port)
            if try await hub.operatorStore.family("stock") == nil {
                try await hub.operatorStore.saveFamily(
                    FamilyRecord(
                        name: "stock", createdAt: Timestamp(Date()), form: "profile",
                        snapshotDigest: "", seed: 1, asOf: BusinessDay(daysSince1970: 20_000),
                        summary: "{}", trained: []))
            }
            let package = try await hub.addPackage(
                family: "stock", variant: "lstm-4", contentBytes: 120_001)
            try await hub.push("stock")
            let file = peer.path("package")
            let told = try #require(try await peer.run("visit", "--fetch", file).first)
            #expect(told.desire == 2, "\(told)")
            #expect(told.digest == package.record.digest.map { hex($0) }.joined())
            #expect(told.fetchedBytes == 120_001)
            #expect([UInt8](try Data(contentsOf: URL(fileURLWithPath: file))) == package.content)
        }
    }

    @Test("renews its certificate with a new key and comes in with it")
    func renew() async throws {
        try await hub.serving { port in
            let joined = try await joined(port: port)
            let renewed = try await peer.run("renew")
            #expect(renewed.first?.deviceId == joined.deviceId)
            #expect(try await peer.run("visit").first?.closed == true)
        }
    }

    @Test("is told what to do when the operator has not let it in, or has put it out")
    func notWelcome() async throws {
        try await hub.serving { port in
            let token = try await tokenText(port: port, approves: false)
            let joined = try #require(try await peer.run("join", token).first)
            #expect(joined.approved == false)
            let device = try DeviceID(try #require(joined.deviceId))

            let pending = try #require(try await peer.run("visit").first)
            #expect(pending.refusal == "NOT_APPROVED" && pending.retry == true)
            #expect(pending.retryAfterSeconds == 60)
            #expect(try #require(pending.message).contains("device approve \(device.text)"))

            let now = Timestamp(Date())
            _ = try await hub.operatorStore.setStatus(.approved, of: device, at: now)
            #expect(try await peer.run("visit").first?.closed == true)
            _ = try await hub.operatorStore.setStatus(.revoked, of: device, at: now)
            let revoked = try #require(try await peer.run("visit").first)
            #expect(revoked.refusal == "REVOKED" && revoked.retry == false)
        }
    }

    @Test("with a token that is no longer good is told why, and does not join")
    func tokens() async throws {
        try await hub.serving { port in
            let once = try await tokenText(port: port, uses: 1)
            #expect(try await peer.run("join", once).first?.deviceId != nil)
            let expired = try await tokenText(port: port, expiresInSeconds: 0)
            let devices = try await hub.operatorStore.devices(store: nil).count

            let usedUp = try #require(
                try await peer.run("hostile", "join-with-another-key", "--token", once).first)
            #expect(usedUp.refusal == "TOKEN_USED_UP" && usedUp.retry == false)
            let late = try #require(
                try await peer.run("hostile", "join-with-another-key", "--token", expired).first)
            #expect(late.refusal == "TOKEN_EXPIRED" && late.retry == false)
            // The one whose JoinReply was lost asks again with its key, and uses nothing up.
            let again = try await peer.run(
                "hostile", "join-again-with-the-same-key", "--token", once)
            #expect(again.first?.deviceId != nil)
            #expect(try await hub.operatorStore.devices(store: nil).count == devices)
        }
    }

    @Test("with a certificate of the right CA that has expired stays outside")
    func expired() async throws {
        try await hub.serving { port in
            let joined = try await joined(port: port)
            let device = TestDevice(rootDER: try hub.identity.authority.rootDER)
            let longAgo = Date().addingTimeInterval(-10 * 365 * 86_400)
            let der = try hub.identity.authority.issueDevice(
                deviceID: try #require(joined.deviceId),
                signingRequestDER: try device.signingRequest(), now: longAgo)
            _ = try peer.write([device.key.pemRepresentation], to: "key.pem")
            _ = try peer.write(
                [
                    "-----BEGIN CERTIFICATE-----", Data(der).base64EncodedString(),
                    "-----END CERTIFICATE-----",
                ], to: "certificate.pem")
            let told = try #require(try await peer.run("visit").first)
            #expect(Answer.tls.isMet(by: told), "\(told)")
        }
    }

    @Test("and turned hostile changes nothing, is told why it may not, and disturbs nobody else")
    func hostile() async throws {
        try await hub.serving { port in
            let token = try await tokenText(port: port)
            _ = try await peer.run("join", token)
            let file = try peer.write(Self.sales, to: "sales.jsonl")
            _ = try await peer.run("visit", "--upload", file)

            let acts = Self.answers.map(\.act)
            let told = try await peer.run(["hostile"] + acts + ["--token", token])
            #expect(told.map(\.act) == acts)
            for (told, expected) in zip(told, Self.answers) {
                #expect(expected.answer.isMet(by: told), "\(expected.act): \(told)")
            }
            #expect(try await unitsInTheHub() == 7)
            #expect(try await hub.operatorStore.devices(store: nil).count == 1)
            let visit = try await peer.run("visit", "--upload", file)
            #expect(visit.first?.throughSequence == 10)
            #expect(try await unitsInTheHub() == 14)
        }
    }

    @Test("that repeats and overlaps adds each record once")
    func replay() async throws {
        try await hub.serving { port in
            _ = try await joined(port: port)
            let file = try peer.write(Self.sales, to: "sales.jsonl")
            _ = try await peer.run("visit", "--upload", file)
            let told = try await peer.run("hostile", "replayed-upload", "overlapping-upload")
            #expect(told.map(\.storedThroughSequence) == [5, 5])
            #expect(told.map(\.acknowledged) == [[5, 5], [6]])
            #expect(try await unitsInTheHub() == 8)
        }
    }

    enum Answer {
        case refusal(String)
        /// Already TLS said no.
        case tls
        case closed
        case nothing

        func isMet(by told: StockPeer.Told) -> Bool {
            switch self {
            case .refusal(let code):
                told.refusal == code && told.retry == (code == "SEQUENCE_GAP")
                    && told.message?.isEmpty == false
            case .tls: told.tls != nil || told.closed == true
            case .closed: told.closed == true && told.strayBytes ?? 0 == 0
            case .nothing: told.left == true
            }
        }
    }

    static let answers: [(act: String, answer: Answer)] = [
        ("plain-text", .closed),
        ("garbage", .refusal("MALFORMED")),
        ("malformed-hello", .refusal("MALFORMED")),
        ("group-in-hello", .refusal("MALFORMED")),
        ("truncated-frame", .nothing),
        ("oversized-hello", .refusal("TOO_LARGE")),
        ("oversized-everything", .refusal("TOO_LARGE")),
        ("oversized-upload", .refusal("TOO_LARGE")),
        ("large-frame-of-a-stranger", .refusal("TOO_LARGE")),
        ("unknown-kind", .refusal("MALFORMED")),
        ("hubs-own-kind", .refusal("OUT_OF_ORDER")),
        ("version-from-the-future", .refusal("VERSION")),
        ("no-hello", .refusal("OUT_OF_ORDER")),
        ("second-hello", .refusal("OUT_OF_ORDER")),
        ("upload-before-register", .refusal("OUT_OF_ORDER")),
        ("register-without-certificate", .refusal("NO_CERTIFICATE")),
        ("after-goodbye", .closed),
        ("sequence-gap", .refusal("SEQUENCE_GAP")),
        ("sale-of-nothing", .refusal("RECORD_INVALID")),
        ("sale-of-a-strange-item", .refusal("RECORD_INVALID")),
        ("forecast-that-is-no-number", .refusal("RECORD_INVALID")),
        ("record-of-a-later-version", .refusal("RECORD_INVALID")),
        ("fetch-what-is-not-mine", .refusal("NOT_FOUND")),
        ("token-unknown", .refusal("TOKEN_UNKNOWN")),
        ("csr-garbage", .refusal("CSR_INVALID")),
        ("csr-with-a-false-signature", .refusal("CSR_INVALID")),
        ("csr-of-another-curve", .refusal("CSR_INVALID")),
        ("csr-with-rsa", .refusal("CSR_INVALID")),
        ("certificate-of-another-ca", .tls),
        ("certificate-signed-by-itself", .tls),
        ("certificate-issued-by-a-device", .tls),
    ]
}

private func hex(_ byte: UInt8) -> String {
    (byte < 16 ? "0" : "") + String(byte, radix: 16)
}
