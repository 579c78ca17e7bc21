import Forecasting
import HubCore
import Testing

@Suite("Tokens, uploads and figures")
struct DecisionTests {
    private static let now = Timestamp(millisecondsSince1970: 1_000_000)

    private static func token(
        expiresIn seconds: Int64 = 60, uses: Int = 0, of max: Int = 2, revoked: Bool = false
    ) throws -> TokenRecord {
        var token = TokenRecord(
            secretSHA256: [UInt8](repeating: 1, count: 32), store: try StoreID("1"), labels: [],
            createdAt: now, expiresAt: now.advanced(bySeconds: seconds), usesMax: max,
            approves: true)
        token.uses = uses
        token.revokedAt = revoked ? now : nil
        return token
    }

    @Test("A token is good until it expires, is used up or withdrawn; a stranger's is unknown")
    func tokens() throws {
        #expect(TokenCheck.decide(nil, now: Self.now) == .unknown)
        #expect(TokenCheck.decide(try Self.token(), now: Self.now) == .accepted)
        #expect(TokenCheck.decide(try Self.token(expiresIn: 1), now: Self.now) == .accepted)
        #expect(
            TokenCheck.decide(try Self.token(expiresIn: 0), now: Self.now) == .expired(at: Self.now)
        )
        #expect(TokenCheck.decide(try Self.token(uses: 1), now: Self.now) == .accepted)
        #expect(TokenCheck.decide(try Self.token(uses: 2), now: Self.now) == .usedUp(uses: 2))
        #expect(TokenCheck.decide(try Self.token(revoked: true), now: Self.now) == .unknown)
    }

    @Test(
        "A batch is stored from the first number that is new; a gap stores nothing",
        arguments: [
            (UInt64(1), 3, UInt64(0), UploadAcceptance.store(skipping: 0)),
            (4, 2, 3, .store(skipping: 0)), (3, 2, 3, .store(skipping: 1)),
            (1, 3, 3, .store(skipping: 3)), (1, 3, 100, .store(skipping: 3)),
            (1, 500, 499, .store(skipping: 499)), (5, 1, 3, .gap(expectedSequence: 4)),
            (2, 1, 0, .gap(expectedSequence: 1)),
            (0, 1, 0, .invalid("sequence number 0 is not within 1 to 2^62")),
            (
                UInt64.max, 1, 0,
                .invalid("sequence number 18446744073709551615 is not within 1 to 2^62")
            ),
            (1, 0, 0, .invalid("0 records are not 1 to 500")),
            (1, 501, 0, .invalid("501 records are not 1 to 500")),
        ])
    func acceptance(first: UInt64, count: Int, through: UInt64, expected: UploadAcceptance) {
        #expect(
            UploadAcceptance.decide(firstSequence: first, recordCount: count, through: through)
                == expected)
    }

    @Test("A record out of its range is named")
    func recordFaults() throws {
        let item = try ItemID("1")
        let day = BusinessDay(daysSince1970: 17_000)
        func sale(_ units: Int32, on day: BusinessDay = day) -> UploadRecord {
            .sale(day: day, item: item, units: units)
        }
        func forecast(_ units: Float, actual: Int64 = 0) -> UploadRecord {
            .forecast(
                DeviceForecast(
                    day: day, item: item, units: units, networkOutput: 0, release: 1,
                    actualUnits: actual, inputsComplete: true))
        }
        for good in [
            sale(1), sale(1_000_000), forecast(0), forecast(1e9),
            .close(day: BusinessDay(daysSince1970: 0), closedAllDay: true),
        ] {
            #expect(good.fault == nil)
        }
        for bad in [
            sale(0), sale(-1), sale(1_000_001), sale(1, on: BusinessDay(daysSince1970: -1)),
            sale(1, on: BusinessDay(daysSince1970: 84_006)), forecast(-0.5), forecast(.nan),
            forecast(.infinity), forecast(1, actual: -1),
        ] {
            #expect(bad.fault != nil, "\(bad)")
        }
    }

    @Test(
        "Figures are rounded half away from zero, and are n/a rather than wrong",
        arguments: [
            (12.345, 2, "12.35"), (12.344, 2, "12.34"), (0.005, 2, "0.01"), (-0.005, 2, "-0.01"),
            (-0.004, 2, "0.00"), (99.999, 2, "100.00"), (3, 0, "3"), (0.5, 0, "1"),
            (1.25, 3, "1.250"), (.nan, 2, "n/a"), (.infinity, 2, "n/a"), (1e13, 2, "n/a"),
        ] as [(Double, Int, String)])
    func figures(value: Double, decimals: Int, expected: String) {
        #expect(Figure.fixed(value, decimals: decimals) == expected)
    }

    @Test("A figure that is not there is n/a, never 0")
    func missingFigure() {
        #expect(Figure.percent(nil) == "n/a")
        #expect(Figure.percent(0) == "0.00 %")
    }
}
