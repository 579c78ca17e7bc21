import SyncProtocol
import TestSupport
import Testing

@Suite("Uploads as columns")
struct NamedItemsTests {
    static func sale(_ day: Int32, _ item: String, _ units: UInt32) -> Record {
        .sale(SaleRecord(day: day, item: item, units: units))
    }

    static func forecast(
        _ item: String, day: Int32 = 7, level: Float = 1.5, candidate: UInt64 = 0
    ) -> Record {
        .forecast(
            ForecastRecord(
                day: day, item: item, forecastUnits: 3.25, networkOutput: -9, release: 4,
                actualUnits: 5, inputsComplete: true, levelUnits: level, inputsDigest: 77,
                candidate: candidate, candidateUnits: candidate == 0 ? 0 : 2.5))
    }

    /// Over the wire and back, on one connection.
    static func cross(
        _ upload: Upload, _ device: inout NamedItems, _ hub: inout NamedItems
    ) throws -> [Record] {
        let wire = encodeFrame(.upload(device.columns(of: upload)))
        guard case .upload(let arrived)? = try decode(wire, from: .device).first else { return [] }
        #expect(arrived.firstSequence == upload.firstSequence)
        return try hub.records(of: arrived)
    }

    @Test(
        "give the same records in the same order, whatever they are",
        arguments: 1...40 as ClosedRange<UInt64>)
    func roundTrip(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        var (device, hub) = (NamedItems(), NamedItems())
        for number in 1...5 as ClosedRange<UInt64> {
            var records: [Record] = []
            for _ in 0..<Int.random(in: 1...60, using: &random) {
                let item = "i\(Int.random(in: 0...9, using: &random))"
                let day = Int32.random(in: 7...8, using: &random)
                switch Int.random(in: 0...9, using: &random) {
                case 0: records.append(.close(CloseRecord(day: day)))
                case 1, 2:
                    records.append(
                        Self.forecast(
                            item, day: day, level: [0, 2].randomElement(using: &random) ?? 0,
                            candidate: [0, .max].randomElement(using: &random) ?? 0))
                default:
                    let most: UInt32 = Bool.random(using: &random) ? 3 : 1_000_000
                    records.append(Self.sale(day, item, .random(in: 1...most, using: &random)))
                }
            }
            let upload = Upload(firstSequence: number, records: records)
            #expect(try Self.cross(upload, &device, &hub) == records, "seed \(seed)")
        }
        #expect(device == hub)
    }

    @Test("name an item once on a connection")
    func once() throws {
        var device = NamedItems()
        let upload = Upload(
            firstSequence: 1, records: [Self.sale(7, "b", 1), Self.sale(7, "a", 2)])
        #expect(
            device.columns(of: upload)
                == Upload(
                    firstSequence: 1, records: [.sales(SalesOfDay(day: 7, sold: [1, 2]))],
                    items: ["a", "b"]))
        let again = device.columns(of: upload)
        #expect(again.items.isEmpty)
        #expect(again.records == [.sales(SalesOfDay(day: 7, sold: [1, 2]))])
    }

    @Test("need no indexes for forecasts of all items in order")
    func inOrder() throws {
        var device = NamedItems()
        let columns = device.columns(
            of: Upload(firstSequence: 1, records: [Self.forecast("a"), Self.forecast("b")]))
        guard case .forecasts(let forecasts)? = columns.records.first else {
            Issue.record("no column")
            return
        }
        #expect(columns.records.count == 1)
        #expect(forecasts.itemIndexes.isEmpty && forecasts.forecastUnits.count == 2)
        let one = device.columns(of: Upload(firstSequence: 1, records: [Self.forecast("b")]))
        #expect(try device.records(of: one) == [Self.forecast("b")])
    }

    @Test("leave items beyond the most that may be named to single records")
    func tooManyItems() throws {
        var (device, hub) = (NamedItems(), NamedItems())
        for start in stride(from: 0, to: 5_000, by: 500) {
            let records = (start..<start + 500).map { Self.sale(7, "i\($0)", 1_000_000) }
            let upload = Upload(firstSequence: 1, records: records)
            #expect(try Self.cross(upload, &device, &hub) == records)
        }
        #expect(hub.names.count == NamedItems.countMax)
    }

    @Test("are refused with an index beyond the names, units beyond a sale's, or names too many")
    func refused() throws {
        func refusal(_ record: Record, items: [String]) -> WireError? {
            var hub = NamedItems()
            do throws(WireError) {
                _ = try hub.records(
                    of: Upload(
                        firstSequence: 1, records: [Self.sale(7, "a", 1), record], items: items))
                return nil
            } catch { return error }
        }
        let sale = Record.sales(SalesOfDay(day: 7, sold: [999_999]))
        #expect(refusal(sale, items: ["a"]) == nil)
        #expect(refusal(sale, items: []) == .recordInvalid(index: 1, rule: .index))
        #expect(
            refusal(.sales(SalesOfDay(day: 7, sold: [0, 1_000_000])), items: ["a"])
                == .recordInvalid(index: 2, rule: .range))
        let forecasts = ForecastsOfDay(
            day: 7, forecastUnits: [1, 1], networkOutput: [1, 1], actualUnits: [1, 1])
        #expect(refusal(.forecasts(forecasts), items: ["a", "b"]) == nil)
        #expect(
            refusal(.forecasts(forecasts), items: ["a"]) == .recordInvalid(index: 2, rule: .index))
        var hub = NamedItems()
        let names = (0..<500).map { "i\($0)" }
        var taken = 0
        #expect(throws: WireError.elementsTooMany(field: 3, countMax: NamedItems.countMax)) {
            while true {
                _ = try hub.records(of: Upload(firstSequence: 1, records: [], items: names))
                taken += names.count
            }
        }
        #expect(taken == 4_000)
    }

    @Test("of more than 500 records are refused, however they are counted")
    func tooMany() throws {
        let column = Record.sales(SalesOfDay(day: 7, sold: [UInt32](repeating: 0, count: 250)))
        let full = Upload(firstSequence: 1, records: [column, column], items: ["a"])
        #expect(try decode(encodeFrame(.upload(full)), from: .device) == [.upload(full)])
        var over = full
        over.records.append(Self.sale(7, "a", 1))
        let error = FrameError.payloadMalformed(
            .upload, .elementsTooMany(field: 2, countMax: Limit.recordsCount))
        #expect(throws: error) { try decode(encodeFrame(.upload(over)), from: .device) }
    }

    @Test("cost what 5,000 sales and 50 forecasts of a day may")
    func bytes() throws {
        var random = SeededGenerator(seed: 5)
        var device = NamedItems()
        var (sequence, wireBytes): (UInt64, Int) = (1_000_000, 0)
        func send(_ records: [Record]) {
            let upload = Upload(firstSequence: sequence, records: records)
            sequence += UInt64(records.count)
            wireBytes += encodeFrame(.upload(device.columns(of: upload))).count
            wireBytes += encodeFrame(.uploadAck(UploadAck(throughSequence: sequence - 1))).count
        }
        // Fifty times a hundred, as a connection that stays sends them through a day.
        for _ in 0..<50 {
            send(
                (0..<100).map { _ in
                    Self.sale(
                        20_000, "\(Int.random(in: 1...50, using: &random))",
                        .random(in: 1...4, using: &random))
                })
        }
        #expect(wireBytes <= 2 * 5_000, "\(wireBytes)")
        send(
            (1...50).map { Self.forecast("\($0)", day: 20_000) }
                + [.close(CloseRecord(day: 20_000))])
        #expect(wireBytes <= 12_000, "\(wireBytes)")
    }

    @Test("leave out what the sales beside them say was sold, and say it where it was not")
    func actuals() throws {
        func forecast(_ item: String, day: Int32 = 7, actual: UInt32) -> Record {
            .forecast(
                ForecastRecord(
                    day: day, item: item, forecastUnits: 3, networkOutput: 1, release: 4,
                    actualUnits: actual, inputsComplete: true))
        }
        let sold: [Record] = [
            Self.sale(7, "a", 5), Self.sale(7, "b", 9), Self.sale(6, "b", 1), Self.sale(7, "a", 2),
            .returned(SaleRecord(day: 7, item: "b", units: 4)),
        ]
        let rows: [(records: [Record], isLeftOut: Bool)] = [
            (sold + [forecast("a", actual: 7), forecast("b", actual: 5)], true),
            (sold + [forecast("a", actual: 7), forecast("c", actual: 0)], true),
            (sold + [forecast("b", day: 6, actual: 1)], true),
            (sold + [forecast("a", actual: 7), forecast("b", actual: 6)], false),
            ([forecast("a", actual: 7)] + sold, false),
            ([forecast("a", actual: 0)], true),
        ]
        for (number, row) in rows.enumerated() {
            var (device, hub) = (NamedItems(), NamedItems())
            let upload = Upload(firstSequence: 1, records: row.records)
            let columns = device.columns(of: upload)
            for case .forecasts(let forecasts) in columns.records {
                #expect(forecasts.actualUnits.isEmpty == row.isLeftOut, "row \(number)")
            }
            #expect(try hub.records(of: columns) == row.records, "row \(number)")
        }
    }
}
