import SyncProtocol
import Testing

@Suite("A payload")
struct WireTests {
    @Test(
        "written here is byte for byte what the stock implementation writes",
        arguments: try Fixtures.goldenFrames())
    func encodesGolden(_ golden: Fixtures.GoldenFrame) throws {
        let meaning = try #require(GoldenFrames.meanings[golden.name])
        #expect(Fixtures.hex(encodeFrame(meaning)) == Fixtures.hex(golden.wire))
    }

    @Test(
        "of the stock implementation is read field for field",
        arguments: try Fixtures.goldenFrames())
    func decodesGolden(_ golden: Fixtures.GoldenFrame) throws {
        let meaning = try #require(GoldenFrames.meanings[golden.name])
        #expect(try decode(golden.wire, from: meaning.sender) == [meaning])
    }

    @Test("has a golden frame for every kind, and every golden frame a meaning")
    func complete() throws {
        let names = try Fixtures.goldenFrames().map(\.name)
        #expect(Set(names) == Set(GoldenFrames.meanings.keys))
        #expect(
            Set(GoldenFrames.meanings.values.map(\.kind.rawValue))
                == Set(MessageKind.allCases.map(\.rawValue)))
    }

    @Test("with any one field spoiled in any way is refused, and the refusal names the field")
    func malformed() throws {
        let rows = try Fixtures.malformedPayloads()
        #expect(rows.count > 1_000)
        for row in rows {
            let peer: Peer = row.kind.isSent(by: .device) ? .device : .hub
            let wire = frame(kind: row.kind.rawValue, payload: row.payload)
            do throws(FrameError) {
                _ = try decode(wire, from: peer)
                Issue.record("malformed.txt:\(row.line) was taken")
            } catch {
                guard case .payloadMalformed(row.kind, let wireError) = error else {
                    Issue.record("malformed.txt:\(row.line): \(error)")
                    continue
                }
                #expect(name(of: wireError) == row.error, "malformed.txt:\(row.line)")
                #expect(field(of: wireError) == row.field, "malformed.txt:\(row.line)")
            }
        }
    }

    @Test("keeps the last member of a oneof, and merges one that comes twice")
    func oneof() throws {
        let sale: [UInt8] = [0x0A, 0x05, 0x08, 0x02, 0x12, 0x01, 0x41]  // day 1, item "A"
        let units: [UInt8] = [0x0A, 0x02, 0x18, 0x09]  // units 9
        let close: [UInt8] = [0x12, 0x02, 0x08, 0x04]  // day 2
        #expect(try Record(decoding: sale + close) == .close(CloseRecord(day: 2)))
        #expect(
            try Record(decoding: sale + units)
                == .sale(SaleRecord(day: 1, item: "A", units: 9)))
        #expect(
            try Record(decoding: sale + close + units) == .sale(SaleRecord(units: 9)))
    }

    @Test("merges an inner message that comes twice")
    func innerTwice() throws {
        let register = try Register(decoding: [0x72, 2, 0x10, 7, 0x72, 2, 0x18, 9])
        #expect(register == Register(running: RunningPackage(release: 7, arenaBytes: 9)))
    }

    @Test("may have fields of a later version, of every wire type, also where there are none yet")
    func unknownFields() throws {
        let later: [UInt8] =
            [0xF8, 0x01, 0xFF, 0x01] + [0xF9, 0x01, 1, 2, 3, 4, 5, 6, 7, 8]
            + [0xFA, 0x01, 0x02, 0x08, 0x01] + [0xFD, 0x01, 1, 2, 3, 4]
        #expect(try decode(frame(kind: 18, payload: later), from: .device) == [.ping])
        #expect(
            try decode(frame(kind: 13, payload: later + [0x08, 5] + later), from: .hub)
                == [.uploadAck(UploadAck(throughSequence: 5))])
    }

    struct Invalid: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var message: Message
        var field: Int
        var rule: ValueRule

        init(_ name: String, _ message: Message, _ field: Int, _ rule: ValueRule) {
            (self.testDescription, self.message) = (name, message)
            (self.field, self.rule) = (field, rule)
        }
    }

    @Test("with a value against SPEC 4.3 is refused", arguments: invalidMessages)
    func invalid(_ row: Invalid) throws {
        #expect(
            throws: FrameError.payloadMalformed(
                row.message.kind, .valueInvalid(field: row.field, rule: row.rule))
        ) {
            try decode(encodeFrame(row.message), from: row.message.sender)
        }
    }

    @Test(
        "with a record against SPEC 4.3 is refused, and the refusal names the record",
        arguments: invalidRecords)
    func invalidRecord(_ row: InvalidRecord) throws {
        let upload = Upload(
            firstSequence: 1, records: [GoldenFrames.sale, GoldenFrames.sale, row.record])
        let error = FrameError.payloadMalformed(
            .upload, .recordInvalid(index: 2, rule: row.rule))
        #expect(throws: error) { try decode(encodeFrame(.upload(upload)), from: .device) }
        #expect(error.explanation.contains("record 3 "))
    }

    struct InvalidRecord: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var record: Record
        var rule: ValueRule

        init(_ name: String, _ record: Record, _ rule: ValueRule) {
            (self.testDescription, self.record, self.rule) = (name, record, rule)
        }
    }

    @Test("breaks off with the code that SPEC 4.3 and 11 name")
    func codes() throws {
        let malformed = FrameError.payloadMalformed(.hello, .truncated(field: 1))
        let record = FrameError.payloadMalformed(.upload, .recordInvalid(index: 0, rule: .range))
        let first = FrameError.payloadMalformed(.upload, .valueInvalid(field: 1, rule: .range))
        #expect(malformed.refusalCode == .malformed)
        #expect(record.refusalCode == .recordInvalid)
        #expect(first.refusalCode == .malformed)
        #expect(FrameError.kindFromWrongSide(.welcome).refusalCode == .outOfOrder)
        #expect(
            FrameError.payloadTooLarge(kind: 1, announcedBytes: 2, bytesMax: 1).refusalCode
                == .tooLarge)
    }

    @Test("has its lists of numbers packed or one by one, as the writer chose")
    func lists() throws {
        let packed: [UInt8] = [0x0A, 3, 1, 0xAC, 0x02]
        let single: [UInt8] = [0x08, 7]
        var reader = WireReader(packed + single + [0x0A, 0])
        var values: [Int64] = []
        while try reader.next() != nil { try reader.append(to: &values, countMax: 3) }
        #expect(values == [1, 300, 7])

        var floats: [Float] = []
        reader = WireReader([0x0A, 8, 0, 0, 0x80, 0x3F, 0, 0, 0, 0xC0, 0x0D, 0, 0, 0, 0x3F])
        while try reader.next() != nil { try reader.append(to: &floats, countMax: 9) }
        #expect(floats == [1, -2, 0.5])

        var doubles: [Double] = []
        reader = WireReader([0x0A, 8, 0, 0, 0, 0, 0, 0, 0xF8, 0x3F])
        while try reader.next() != nil { try reader.append(to: &doubles, countMax: 9) }
        #expect(doubles == [1.5])
    }

    @Test("has lists refused that are too long, cut off or of another type")
    func badLists() throws {
        let rows: [(bytes: [UInt8], error: WireError)] = [
            ([0x0A, 3, 1, 2, 3], .elementsTooMany(field: 1, countMax: 2)),
            ([0x08, 1, 0x08, 2, 0x08, 3], .elementsTooMany(field: 1, countMax: 2)),
            ([0x0A, 2, 1, 0x80], .truncated(field: 1)),
            ([0x0A, 5, 1], .truncated(field: 1)),
            ([0x0D, 0, 0, 0, 0], .wireTypeUnexpected(field: 1, wireType: 5)),
        ]
        for row in rows {
            #expect(throws: row.error) {
                var reader = WireReader(row.bytes)
                var values: [Int64] = []
                while try reader.next() != nil { try reader.append(to: &values, countMax: 2) }
            }
        }
    }

    @Test("is read message by message, each knowing where in the whole it stands")
    func innerReaders() throws {
        var writer = WireWriter()
        writer.uint64(1, 5)
        writer.message(2) { inner in
            inner.repeated(3, [-1, 0, 300] as [Int64])
            inner.message(4) { _ in }
        }
        var reader = WireReader(writer.bytes)
        #expect(try reader.next() == 1)
        #expect(try reader.uint64() == 5)
        #expect(try reader.next() == 2)
        var inner = try reader.inner()
        #expect(inner.offset == 4)
        #expect(try inner.next() == 3)
        var values: [Int64] = []
        try inner.append(to: &values, countMax: 3)
        #expect(values == [-1, 0, 300])
        #expect(try inner.next() == 4)
        var empty = try inner.inner()
        #expect(try empty.next() == nil)
        #expect(try inner.next() == nil)
        #expect(try reader.next() == nil)
        #expect(reader.offset == writer.bytes.count)
    }
}

/// The word `golden.py` uses.
private func name(of error: WireError) -> String {
    switch error {
    case .truncated: "truncated"
    case .varintTooLong: "varint-too-long"
    case .fieldNumberInvalid: "no-field"
    case .wireTypeInvalid(_, let wireType): "no-type-\(wireType)"
    case .wireTypeUnexpected(_, let wireType): "wrong-type-\(wireType)"
    case .bytesTooMany: "too-long"
    case .elementsTooMany: "too-many"
    case .textNotUTF8: "not-utf8"
    case .valueInvalid, .recordInvalid: "invalid"
    }
}

private func field(of error: WireError) -> Int {
    switch error {
    case .truncated(let field), .varintTooLong(let field), .wireTypeInvalid(let field, _),
        .wireTypeUnexpected(let field, _), .bytesTooMany(let field, _, _),
        .elementsTooMany(let field, _), .textNotUTF8(let field), .valueInvalid(let field, _):
        field
    case .fieldNumberInvalid, .recordInvalid: 0
    }
}

func frame(kind: UInt8, payload: [UInt8]) -> [UInt8] {
    (0..<4).map { UInt8(truncatingIfNeeded: payload.count >> (24 - 8 * $0)) } + [kind] + payload
}

private let digest = GoldenFrames.digest
private let short = [UInt8](digest.dropLast())

private func sale(day: Int32 = 1, item: String = "1", units: UInt32 = 1) -> Record {
    .sale(SaleRecord(day: day, item: item, units: units))
}

private func forecast(_ units: Float, day: Int32 = 1, item: String = "1") -> Record {
    .forecast(ForecastRecord(day: day, item: item, forecastUnits: units))
}

private func forecasts(_ change: (inout ForecastsOfDay) -> Void) -> Record {
    var forecasts = ForecastsOfDay(
        day: 1, forecastUnits: [1, 2], networkOutput: [3, 4], actualUnits: [5, 6])
    change(&forecasts)
    return .forecasts(forecasts)
}

private func joinReply(_ change: (inout JoinReply) -> Void) -> Message {
    var reply = JoinReply(
        deviceId: "d", certificateDer: [1], caDer: [1],
        store: "1", root: [1])
    change(&reply)
    return .joinReply(reply)
}

private func context(_ change: (inout Context) -> Void) -> Message {
    var context = Context(revision: 1, items: ["1"])
    change(&context)
    return .context(context)
}

/// Of ten days and one item.
private func calendar(_ change: (inout CalendarOfStore) -> Void) -> Message {
    var calendar = CalendarOfStore(
        digest: 1, firstDay: 20_000, days: 10, items: ["1"], entries: [1, 18 << 4 | 2])
    change(&calendar)
    return context { $0.calendar = calendar }
}

private let invalidMessages: [WireTests.Invalid] = [
    .init("version 0", .hello(Hello(versionMin: 0, versionMax: 1)), 1, .range),
    .init("versions upside down", .hello(Hello(versionMin: 2, versionMax: 1)), 2, .range),
    .init("no version chosen", .welcome(Welcome()), 1, .range),
    .init("short secret", .joinRequest(JoinRequest(secret: [1], csrDer: [1])), 1, .length),
    .init(
        "no signing request", .joinRequest(JoinRequest(secret: [UInt8](0..<16))), 2, .length),
    .init("no device id", joinReply { $0.deviceId = "" }, 1, .identifier),
    .init("no certificate", joinReply { $0.certificateDer = [] }, 2, .length),
    .init("no CA", joinReply { $0.caDer = [] }, 3, .length),
    .init("no root metadata", joinReply { $0.root = [] }, 8, .length),
    .init("store with a space", joinReply { $0.store = "1 2" }, 5, .identifier),
    .init(
        "running a short digest", .register(Register(running: RunningPackage(digest: short))), 14,
        .length),
    .init(
        "run nothing", .desiredState(DesiredState(desire: .run, target: "p")), 25, .length),
    .init(
        "run what has no name", .desiredState(DesiredState(desire: .run, digest: digest)), 30,
        .length),
    .init(
        "trial of 29 days", .desiredState(DesiredState(desire: .noFit, trialDays: 29)), 20, .range),
    .init(
        "window from beyond the day", .desiredState(DesiredState(windowFrom: 1_440)), 23, .range),
    .init("window to beyond the day", .desiredState(DesiredState(windowTo: 1_440)), 24, .range),
    .init(
        "a delta without digest", .desiredState(DesiredState(delta: DeltaOffer(bytes: 1))), 40,
        .length),
    .init(
        "a delta of nothing", .desiredState(DesiredState(delta: DeltaOffer(digest: digest))), 40,
        .range),
    .init(
        "go back from a short digest",
        .desiredState(DesiredState(desire: .goBack, digest: short)), 25, .length),
    .init("metadata of nobody", .metadata(Metadata(version: 1, content: [1])), 1, .length),
    .init("metadata of no version", .metadata(Metadata(role: "root", content: [1])), 2, .range),
    .init("metadata without content", .metadata(Metadata(role: "root", version: 1)), 3, .length),
    .init("fetch a short digest", .fetch(Fetch(digest: short, bytesMax: 1)), 1, .length),
    .init("fetch nothing", .fetch(Fetch(digest: digest)), 3, .range),
    .init("chunk of a short digest", .chunk(Chunk(digest: short)), 1, .length),
    .init(
        "chunk beyond the end",
        .chunk(Chunk(digest: digest, offset: 4, content: [1], packageBytes: 4)), 2, .range),
    .init(
        "chunk beyond all numbers",
        .chunk(Chunk(digest: digest, offset: .max, content: [1], packageBytes: .max)), 2, .range),
    .init(
        "report of a short digest",
        .packageReport(PackageReport(digest: short, outcome: .active)), 1, .length),
    .init("report without outcome", .packageReport(PackageReport(digest: digest)), 2, .choice),
    .init(
        "report of running a short digest",
        .packageReport(
            PackageReport(outcome: .refused, running: RunningPackage(digest: short))), 5, .length),
    .init("record number 0", .upload(Upload(records: [GoldenFrames.sale])), 1, .range),
    .init(
        "record number above 63 bits",
        .upload(Upload(firstSequence: 1 << 63, records: [GoldenFrames.sale])), 1, .range),
    .init("empty upload", .upload(Upload(firstSequence: 1)), 2, .length),
    .init(
        "named item with a space",
        .upload(Upload(firstSequence: 1, records: [GoldenFrames.sale], items: [" "])), 3,
        .identifier),
    .init("context item with a space", context { $0.items = [" "] }, 2, .identifier),
    .init("context day before 1970", context { $0.days = [StoreDay(day: -1)] }, 3, .range),
    .init(
        "sold item not listed",
        context { $0.days = [StoreDay(sold: [ItemDay(itemIndex: 1)])] }, 3, .index),
    .init(
        "gaps without units", context { $0.days = [StoreDay(units: [1], itemGaps: [0, 0])] }, 3,
        .length),
    .init(
        "units twice",
        context { $0.days = [StoreDay(sold: [ItemDay(units: 1)], units: [1])] }, 3, .choice),
    .init(
        "units and own items", context { $0.days = [StoreDay(units: [1], ownItems: 1)] }, 3,
        .choice),
    .init(
        "context names an item with a space", context { $0.namedItems = ["a b"] }, 7, .identifier),
    .init("level not listed", context { $0.levels = [ItemLevel(itemIndex: 1)] }, 4, .index),
    .init("level no number", context { $0.levels = [ItemLevel(levelUnits: .nan)] }, 4, .finite),
    .init("level after 2199", context { $0.levels = [ItemLevel(day: 84_006)] }, 4, .range),
    .init("share no number", context { $0.ownShare = .nan }, 5, .finite),
    .init("share above 1", context { $0.ownShare = 1.5 }, 5, .range),
    .init("calendar before 1970", calendar { $0.firstDay = -1 }, 8, .range),
    .init("calendar of 401 days", calendar { $0.days = 401 }, 8, .range),
    .init("calendar beyond 2199", calendar { $0.firstDay = 83_997 }, 8, .range),
    .init("calendar item with a comma", calendar { $0.items = ["1,2"] }, 8, .identifier),
    .init("calendar entry of nothing", calendar { $0.entries = [16] }, 8, .range),
    .init("calendar entry beyond the items", calendar { $0.entries = [20 << 4 | 1] }, 8, .index),
    .init(
        "calendar entries beyond the items", calendar { $0.entries = [1, 18 << 4 | 1, 1] }, 8,
        .index),
    .init("calendar entry far beyond", calendar { $0.entries = [.max, .max] }, 8, .index),
    .init(
        "calendar of no days", calendar { ($0.days, $0.entries) = (0, [1]) }, 8, .index),
    .init("empty renewal", .renewRequest(RenewRequest()), 1, .length),
    .init("renewed to nothing", .renewReply(RenewReply()), 1, .length),
]

private let invalidRecords: [WireTests.InvalidRecord] = [
    .init("record of nothing", .unknown, .choice),
    .init("sale of 0", sale(units: 0), .range),
    .init("sale of 1,000,001", sale(units: 1_000_001), .range),
    .init("sale before 1970", sale(day: -1), .range),
    .init("sale after 2199", sale(day: 84_006), .range),
    .init("sale of no item", sale(item: ""), .identifier),
    .init("item with a comma", sale(item: "a,b"), .identifier),
    .init("item with a quote", sale(item: "a\"b"), .identifier),
    .init("item with an apostrophe", sale(item: "a'b"), .identifier),
    .init("item with a backslash", sale(item: "a\\b"), .identifier),
    .init("item with a tab", sale(item: "a\tb"), .identifier),
    .init("item with a DEL", sale(item: "a\u{7F}b"), .identifier),
    .init("item beyond ASCII", sale(item: "ä"), .identifier),
    .init("close before 1970", .close(CloseRecord(day: .min)), .range),
    .init("forecast that is no number", forecast(.nan), .finite),
    .init("forecast without end", forecast(.infinity), .finite),
    .init("forecast below 0", forecast(-0.5), .finite),
    .init(
        "candidate's forecast below 0",
        .forecast(ForecastRecord(day: 1, item: "1", candidate: 1, candidateUnits: -1)), .finite),
    .init("forecast after 2199", forecast(1, day: .max), .range),
    .init("forecast of no item", forecast(1, item: ""), .identifier),
    .init("column of no sales", .sales(SalesOfDay(day: 1)), .length),
    .init("column of sales after 2199", .sales(SalesOfDay(day: 84_006, sold: [1])), .range),
    .init("column of no forecasts", .forecasts(ForecastsOfDay(day: 1)), .length),
    .init("column of forecasts before 1970", forecasts { $0.day = -1 }, .range),
    .init("columns with an output too few", forecasts { $0.networkOutput = [1] }, .length),
    .init("columns with an actual too many", forecasts { $0.actualUnits = [1, 2, 3] }, .length),
    .init("columns with an index too few", forecasts { $0.itemIndexes = [1] }, .length),
    .init("columns with a level too few", forecasts { $0.levelUnits = [1] }, .length),
    .init("columns with a digest too many", forecasts { $0.inputsDigest = [1, 2, 3] }, .length),
    .init("column of a candidate without units", forecasts { $0.candidate = 1 }, .length),
    .init(
        "column of units without a candidate", forecasts { $0.candidateUnits = [1, 2] }, .length),
    .init(
        "column with a candidate's forecast that is none",
        forecasts {
            $0.candidate = 1
            $0.candidateUnits = [1, .infinity]
        }, .finite),
    .init("column with a forecast below 0", forecasts { $0.forecastUnits[1] = -1 }, .finite),
    .init("column with a level that is none", forecasts { $0.levelUnits = [1, .nan] }, .finite),
]
