import Forecasting
import Foundation
import HubCore
import HubStore
import HubWeb
import Testing

private let now = Timestamp(millisecondsSince1970: 1_700_000_000_000)

@Suite("The figures for Prometheus")
struct MetricsTests {
    /// Name, labels and value of every line that is no comment.
    private static func samples(_ text: String) throws -> [String: Double] {
        var samples: [String: Double] = [:]
        for line in text.split(separator: "\n") where !line.hasPrefix("#") {
            let gap = try #require(line.lastIndex(of: " "), "\(line)")
            let value: Double = try #require(
                Double(String(line[line.index(after: gap)...])), "\(line)")
            samples[String(line[..<gap])] = value
        }
        return samples
    }

    @Test("leave out what is not known, and keep strange names whole")
    func text() {
        var metrics = MetricsText()
        metrics.gauge("a_ratio", "A.", Double?.none)
        metrics.gauge("b", "B.", by: ["store"], [(["x\"\\y\nz"], 0.5), (["n"], .nan), (["m"], 3)])
        #expect(
            metrics.text == """
                # HELP a_ratio A.
                # TYPE a_ratio gauge
                # HELP b B.
                # TYPE b gauge
                b{store="x\\"\\\\y\\nz"} 0.5
                b{store="m"} 3

                """)
    }

    @Test("say nothing of accuracy before there is a forecast, and then what the report says")
    func accuracy() async throws {
        let store = try SQLiteHubStore.inMemory()
        let before = try Self.samples(try await HubFigures(store: store).text(at: now))
        #expect(before["shelfcast_devices{status=\"approved\"}"] == 0)
        #expect(before["shelfcast_chain_wape_ratio"] == nil)

        let home = try StoreID("north-1")
        _ = try await store.createToken(
            TokenRecord(
                secretSHA256: [UInt8](repeating: 7, count: 32), store: home, labels: [],
                createdAt: now, expiresAt: now.advanced(bySeconds: 60), usesMax: 1, approves: true))
        let device = try DeviceID("d-1")
        _ = try await store.joinDevice(
            device, tokenSecretSHA256: [UInt8](repeating: 7, count: 32), at: now)
        let item = try ItemID("1")
        var records: [UploadRecord] = []
        for offset in 0..<14 {
            let day = BusinessDay(daysSince1970: 20_000 + Int32(offset))
            records.append(.sale(day: day, item: item, units: 10))
            records.append(.close(day: day, closedAllDay: false))
            records.append(
                .forecast(
                    DeviceForecast(
                        day: day, item: item, units: 12, networkOutput: 0, release: 1,
                        actualUnits: 10, inputsComplete: true, level: 10, inputsDigest: 0)))
        }
        _ = try await store.storeUpload(
            UploadBatch(device: device, firstSequence: 1, records: records), at: now)
        try await store.touchDevice(device, at: now)
        let figures = HubFigures(store: store)
        let after = try Self.samples(try await figures.text(at: now))
        #expect(after["shelfcast_chain_wape_ratio"].map { abs($0 - 0.2) < 1e-9 } == true)
        #expect(
            after["shelfcast_store_bias_ratio{store=\"north-1\"}"].map {
                abs($0 - 0.2) < 1e-9
            }
                == true)
        #expect(after["shelfcast_chain_forecasts"] == 14)
        #expect(after["shelfcast_sales_days_expected"] == 14)
        #expect(after["shelfcast_sales_days_missing"] == 0)
        #expect(after["shelfcast_devices_in_touch{within=\"1h\"}"] == 1)

        // The same answer for a while, and then another.
        _ = try await store.setStatus(.revoked, of: device, at: now)
        let same = try await figures.text(at: now.advanced(bySeconds: 10))
        #expect(try Self.samples(same)["shelfcast_devices{status=\"approved\"}"] == 1)
        let later = try await figures.text(at: now.advanced(bySeconds: 20))
        #expect(try Self.samples(later)["shelfcast_devices{status=\"approved\"}"] == 0)
    }

    @Test("are all that the alert rules and the dashboard in the documents ask for")
    func documents() async throws {
        let told = try await HubFigures(store: try SQLiteHubStore.inMemory()).text(at: now)
        let known = Set(told.matches(of: #/# TYPE (\S+) gauge/#).map { String($0.output.1) })
        let folder =
            URL(filePath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent().path + "/Docs/prometheus/"
        for name in ["alerts.yml", "grafana.json"] {
            let text = try String(contentsOfFile: folder + name, encoding: .utf8)
            let asked = Set(text.matches(of: #/shelfcast_[a-z_0-9]+/#).map { String($0.output) })
            #expect(asked.subtracting(known).isEmpty, "\(name): \(asked.subtracting(known))")
            #expect(asked.count >= 6)
        }
        let data = try Data(contentsOf: URL(filePath: folder + "grafana.json"))
        let dashboard = try JSONSerialization.jsonObject(with: data) as? [String: Any]
        #expect((dashboard?["panels"] as? [Any])?.count == 8)
    }
}
