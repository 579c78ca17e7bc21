import AgentCore
import Testing

@Suite("What being in touch may cost")
struct ThriftTests {
    static func thrift(_ most: UInt64? = nil, metered: Bool = false, low: UInt32 = 0) -> Thrift {
        var thrift = Thrift()
        (thrift.dataBytesMax, thrift.isMetered, thrift.lowBatteryPercent) = (most, metered, low)
        return thrift
    }

    static func hold(
        _ thrift: Thrift, _ bytes: UInt64, _ terms: UpdateTerms = UpdateTerms(),
        isAsked: Bool = false, batteryPercent: UInt32 = 0
    ) -> FetchHold? {
        thrift.hold(bytes: bytes, terms: terms, isAsked: isAsked, batteryPercent: batteryPercent)
    }

    @Test(
        "A day's bytes end the day's packages first, then its contacts, and the next day begins anew"
    )
    func ceiling() {
        var thrift = Self.thrift(1000)
        func fetches() -> Bool {
            Self.hold(thrift, 10, isAsked: true) == nil
        }
        thrift.count(749, on: 20_000)
        #expect(thrift.mayTalk && fetches())
        thrift.count(1, on: 20_000)
        #expect(thrift.mayTalk && !fetches())
        thrift.count(250, on: 20_000)
        #expect(!thrift.mayTalk && !fetches())
        // A clock that goes back begins no day.
        thrift.begin(19_999)
        thrift.count(1, on: 19_000)
        #expect(thrift.bytes == 1001 && thrift.day == 20_000)
        thrift.begin(20_001)
        #expect(thrift.mayTalk && fetches() && thrift.bytes == 0)
    }

    @Test(
        "The count is kept as one number, whatever it is",
        arguments: [(0, 0), (20_778, 123_456), (84_005, 1 << 40 - 1), (84_005, .max)]
            as [(Int32, UInt64)])
    func kept(day: Int32, bytes: UInt64) {
        var thrift = Self.thrift(1)
        thrift.count(bytes, on: day)
        var other = Self.thrift(1)
        other.restore(thrift.kept)
        #expect(other == thrift)
        #expect(thrift.bytes == min(bytes, 1 << 40 - 1))
    }

    @Test("Without a ceiling nothing is counted against anybody")
    func free() {
        var thrift = Self.thrift()
        thrift.count(.max, on: 1)
        #expect(thrift.mayTalk)
        #expect(Self.hold(thrift, .max, batteryPercent: 1) == nil)
    }

    @Test(
        "A metered link takes an update that is small, what the hub allows, and what somebody asks for"
    )
    func metered() {
        var thrift = Self.thrift(metered: true)
        #expect(Self.hold(thrift, 8192) == nil)
        #expect(Self.hold(thrift, 8193) == .metered(bytesMax: 8192))
        #expect(Self.hold(thrift, 8193, isAsked: true) == nil)
        // The hub's word goes before the device's own, either way.
        #expect(Self.hold(thrift, 8193, UpdateTerms(meteredBytesMax: 8193)) == nil)
        #expect(
            Self.hold(thrift, 101, UpdateTerms(meteredBytesMax: 100)) == .metered(bytesMax: 100))
        thrift.meteredBytesMax = 0
        #expect(Self.hold(thrift, 1) == .metered(bytesMax: 0))
        thrift.isMetered = false
        #expect(Self.hold(thrift, .max) == nil)
    }

    @Test("What the hub sets for an update nobody on the device goes beyond")
    func budget() {
        let terms = UpdateTerms(fetchBytesMax: 100, meteredBytesMax: 1_000)
        for thrift in [Self.thrift(), Self.thrift(metered: true)] {
            #expect(Self.hold(thrift, 100, terms) == nil)
            #expect(Self.hold(thrift, 101, terms, isAsked: true) == .update(bytesMax: 100))
        }
    }

    @Test(
        "What an update waits for is said with its figures, and to the hub unless it passes by itself"
    )
    func holds() {
        #expect(
            FetchHold.metered(bytesMax: 8192).text(bytes: 9_000)
                == "it takes 9000 bytes, and over a metered link an update may fetch at most 8192")
        #expect(
            FetchHold.update(bytesMax: 10).text(bytes: 11)
                == "it takes 11 bytes, and this update may fetch at most 10")
        #expect(FetchHold.day.passes && FetchHold.battery.passes)
        #expect(!FetchHold.metered(bytesMax: 1).passes && !FetchHold.update(bytesMax: 1).passes)
    }

    @Test(
        "A low battery puts packages off and visits to a day at most, never longer for that",
        arguments: [
            (21, 900_000, 900_000), (20, 900_000, 3_600_000), (1, 40_000_000, 86_400_000),
            (1, 100_000_000, 100_000_000), (0, 900_000, 900_000),
        ] as [(UInt32, Int64, Int64)])
    func battery(percent: UInt32, asked: Int64, wait: Int64) {
        let thrift = Self.thrift(low: 20)
        #expect(thrift.wait(asked: asked, batteryPercent: percent) == wait)
        let isLow = percent > 0 && percent <= 20
        #expect(Self.hold(thrift, 9, batteryPercent: percent) == (isLow ? .battery : nil))
        #expect(Self.hold(thrift, 9, isAsked: true, batteryPercent: percent) == nil)
    }

    @Test("Urgent news goes with a visit that is due within a quarter of its interval")
    func early() {
        let thrift = Self.thrift(low: 20)
        #expect(thrift.mayGoEarly(left: 225_000, interval: 900_000, batteryPercent: 0))
        #expect(!thrift.mayGoEarly(left: 225_001, interval: 900_000, batteryPercent: 0))
        #expect(!thrift.mayGoEarly(left: 1, interval: 900_000, batteryPercent: 20))
        // What is but another try after a failure keeps its time.
        #expect(!thrift.mayGoEarly(left: 1, interval: 0, batteryPercent: 0))
    }
}
