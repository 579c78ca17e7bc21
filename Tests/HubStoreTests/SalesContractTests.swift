import Forecasting
import HubCore
import HubStore
import Testing

@Suite("Contract: stores and sales")
struct SalesContractTests {
    private struct Stop: Error, Equatable {}

    @Test("An import is read back as histories and summaries", arguments: StoreUnderTest.allCases)
    func importing(implementation: StoreUnderTest) async throws {
        try await implementation.run { store in
            let outcome = try await Sample.importRows(
                store,
                [
                    ("1", "a", 0, 5), ("1", "a", 1, 0), ("1", "a", 3, 7), ("1", "b", 1, 2),
                    ("2", "a", 0, 1),
                ])
            #expect(outcome.rows == 5 && outcome.stores == 2)
            #expect(try await store.stores().map(\.id.text) == ["1", "2"])
            let histories = try await store.histories(store: try StoreID("1"), through: nil)
            #expect(histories.map(\.item.text) == ["a", "b"])
            #expect(
                histories[0].days == [
                    DemandDay(units: 5), DemandDay(units: 0), .unknown, DemandDay(units: 7),
                ])
            #expect(histories[1].firstDay == Sample.day(1) && histories[1].days.count == 3)
            let early = try await store.histories(store: try StoreID("1"), through: Sample.day(1))
            #expect(early.map(\.days.count) == [2, 1])
            let summaries = try await store.seriesSummaries()
            #expect(summaries.map(\.units) == [12, 2, 1])
            #expect(summaries[0].missingDays == 1 && summaries[0].zeroDays == 1)
            #expect(try await store.lastKnownDay(store: try StoreID("1")) == Sample.day(3))
            #expect(try await store.items(store: try StoreID("1")).map(\.text) == ["a", "b"])
            #expect(try await store.histories(store: try StoreID("9"), through: nil).isEmpty)
            #expect(try await store.lastKnownDay(store: try StoreID("9")) == nil)
        }
    }

    @Test(
        "A later import replaces, and devices hear of the days that changed only",
        arguments: StoreUnderTest.allCases)
    func replacing(implementation: StoreUnderTest) async throws {
        try await implementation.run { store in
            let id = try StoreID("1")
            try await Sample.importRows(store, [("1", "a", 0, 5), ("1", "a", 1, 6)])
            let before = try #require(try await store.ledger(store: id, from: nil))
            try await Sample.importRows(store, [("1", "a", 0, 5), ("1", "a", 1, 60)])
            let after = try #require(try await store.ledger(store: id, from: nil))
            #expect(after.store.revision == before.store.revision + 1)
            #expect(after.days.map(\.revision) == [before.store.revision, after.store.revision])
            #expect(after.days.map { $0.sold.first?.importedUnits } == [5, 60])
            try await Sample.importRows(store, [("1", "a", 0, 5), ("1", "a", 1, 60)])
            #expect(try await store.store(id)?.revision == after.store.revision)
        }
    }

    @Test(
        "An error in the middle of an import changes nothing at all and comes through",
        arguments: StoreUnderTest.allCases)
    func undone(implementation: StoreUnderTest) async throws {
        try await implementation.run { store in
            try await Sample.importRows(store, [("1", "a", 0, 5)])
            await #expect(throws: Stop.self) {
                _ = try await store.importSales { sink in
                    let series = try sink.series(store: try StoreID("2"), item: try ItemID("z"))
                    let rows = (0..<5000).map {
                        SalesRow(series: series, daysSince1970: $0, units: 1)
                    }
                    try rows.withUnsafeBufferPointer { try sink.upsert($0) }
                    throw Stop()
                }
            }
            #expect(try await store.stores().map(\.id.text) == ["1"])
            #expect(try await store.seriesSummaries().map(\.units) == [5])
        }
    }

    private static func importCSV(
        _ store: any HubStore, _ text: String, isStrict: Bool, chunkBytes: Int = 7
    ) async throws -> CSVImportOutcome {
        let source = ChunkSource(Array(text.utf8), chunkBytes: chunkBytes)
        return try await store.importCSV(isStrict: isStrict) { source.next() }
    }

    @Test(
        "Bad rows are left out and listed, or with strict reading refuse the file",
        arguments: StoreUnderTest.allCases)
    func csv(implementation: StoreUnderTest) async throws {
        try await implementation.run { store in
            let text =
                "date,store,item,sales\n2017-02-30,1,a,1\n2017-02-01,1,a,4\n2017-02-01,1,a,5\n"
                + "2017-02-02,1,b,-1\n2017-02-03,1,b,6\n"
            do {
                _ = try await Self.importCSV(store, text, isStrict: true)
                Issue.record("a strict import took bad rows")
            } catch CSVImportError.badRows(let count, let first) {
                #expect(count == 3 && first.map(\.line) == [2, 4, 5])
            }
            #expect(try await store.stores().isEmpty)
            let outcome = try await Self.importCSV(store, text, isStrict: false)
            #expect(outcome.imported.rows == 2 && outcome.badRowCount == 3)
            #expect(try await store.seriesSummaries().map(\.units) == [4, 6])
            await #expect(throws: SalesCSVError.empty) {
                _ = try await Self.importCSV(store, "", isStrict: false)
            }
        }
    }

    @Test("A sample of many series comes back unit by unit", arguments: StoreUnderTest.allCases)
    func sampleRoundTrip(implementation: StoreUnderTest) async throws {
        try await implementation.run { store in
            let sample = SalesSample(
                storeCount: 2, itemCount: 9, firstDay: Sample.day0, dayCount: 150, seed: 3)
            var bytes: [UInt8] = []
            sample.write { bytes += $0 }
            let source = ChunkSource(bytes, chunkBytes: 1000)
            _ = try await store.importCSV(isStrict: true) { source.next() }
            for storeNumber in 1...2 {
                let histories = try await store.histories(
                    store: try StoreID("\(storeNumber)"), through: nil)
                for item in 1...9 {
                    let rows = sample.rows(store: storeNumber, item: item)
                    let history = try #require(histories.first { $0.item.text == "\(item)" })
                    #expect(history.firstDay == rows[0].day)
                    #expect(history.days.map(\.units) == rows.map { Int32($0.units) })
                    // Slow items may leave a whole small store without a sale, never the reverse.
                    #expect(zip(history.days, rows).allSatisfy { !$0.isOpen || !$1.isClosed })
                }
            }
        }
    }

    @Test(
        "A store's time zone is kept, and UTC until it is said", arguments: StoreUnderTest.allCases)
    func timeZone(implementation: StoreUnderTest) async throws {
        try await implementation.run { store in
            let id = try StoreID("1")
            #expect(try await store.store(id) == nil)
            try await Sample.importRows(store, [("1", "a", 0, 5)])
            #expect(try await store.store(id)?.timeZone == "UTC")
            try await store.setTimeZone("Europe/Berlin", of: id)
            try await store.setTimeZone("Asia/Tokyo", of: try StoreID("7"))
            #expect(
                try await store.stores().map(\.timeZone) == ["Europe/Berlin", "Asia/Tokyo"])
        }
    }
}

/// Bytes in small pieces, as a file or a socket gives them.
final class ChunkSource: @unchecked Sendable {
    private var rest: ArraySlice<UInt8>
    private let chunkBytes: Int

    init(_ bytes: [UInt8], chunkBytes: Int) {
        rest = bytes[...]
        self.chunkBytes = chunkBytes
    }

    func next() -> [UInt8]? {
        guard !rest.isEmpty else { return nil }
        defer { rest = rest.dropFirst(chunkBytes) }
        return Array(rest.prefix(chunkBytes))
    }
}
