import AgentCore
import Forecasting
import Testing

@Suite("A shelf and what has to be ordered for it")
struct ShelfTests {
    static let today = BusinessDay(daysSince1970: 20_000)

    /// A shelf whose changes may be expected.
    final class Kept {
        private(set) var shelf: Shelf

        init(_ shelf: Shelf) { self.shelf = shelf }

        var alert: RestockAlert? { shelf.alert }
        var onHand: Int64 { shelf.onHand }
        var needs: [Int32] { shelf.needs }
        func decide() -> Bool { shelf.decide() }
        func sell(_ units: Int64, on day: BusinessDay) -> Bool { shelf.sell(units, on: day) }
        func carry(_ alert: RestockAlert?) { shelf.carry(alert) }
        func expect(_ units: Int64, in days: Int) {
            shelf.expect(Delivery(due: ShelfTests.today.advanced(by: days), units: units))
        }
    }

    /// Ten units a day, of which 17 cover one day at 95 % and 28 two.
    static func shelf(
        stock: Int64, rule: OrderRule = OrderRule(), share: Float = 0, means: [Float]? = nil
    ) throws -> Kept {
        var shelf = Shelf(
            item: try ItemID("7"), rule: rule, counted: today, today: today, base: stock,
            ownShare: share)
        shelf.expect(
            means ?? [Float](repeating: 10, count: 14), spread: DemandSpread(), rate: 0.1)
        return Kept(shelf)
    }

    @Test("needs more for each further day, and more the surer it is to be")
    func needs() throws {
        let usual = try Self.shelf(stock: 0)
        let sure = try Self.shelf(stock: 0, rule: OrderRule(servicePercent: 99))
        #expect(usual.needs.count == 14)
        for day in 0..<14 {
            #expect(sure.needs[day] > usual.needs[day])
            #expect(Float(usual.needs[day]) > 10 * Float(day + 1))
            if day > 0 { #expect(usual.needs[day] > usual.needs[day - 1]) }
        }
    }

    @Test("is said to be ordered once, when the last day for it comes near, and by which day")
    func orders() throws {
        // As much as five days need, at two days from order to shelf: there is time till the fourth day.
        let needs = try Self.shelf(stock: 0).needs
        let shelf = try Self.shelf(
            stock: Int64(needs[4]), rule: OrderRule(leadDays: 2, multiple: 12))
        #expect(!shelf.decide() && shelf.alert == nil)
        // A unit less is four days' worth: ordered on the third day it comes in time.
        #expect(shelf.sell(1, on: Self.today.advanced(by: 1)))
        #expect(shelf.decide())
        let alert = try #require(shelf.alert)
        #expect(alert.reason == .order && alert.by == Self.today.advanced(by: 2))
        #expect(alert.units % 12 == 0)
        // It lasts a week from its arrival, with less than one package to spare.
        let lasting = Int64(alert.units) + shelf.onHand - Int64(needs[10])
        #expect((0..<12).contains(lasting))
        // More sales of the kind say the same, and are not said again.
        #expect(shelf.sell(1, on: Self.today.advanced(by: 1)))
        #expect(!shelf.decide() && shelf.alert != nil)
        // Until it is another matter.
        #expect(shelf.sell(shelf.onHand - Int64(needs[1]) + 1, on: Self.today.advanced(by: 1)))
        #expect(shelf.decide() && shelf.alert?.reason == .runOut)
        #expect(shelf.alert?.by == Self.today)
        #expect(!shelf.decide())
    }

    @Test(
        "is not said to be ordered twice when forecasts move by a day, and is well when goods have come"
    )
    func staysAndGoes() throws {
        let needs = try Self.shelf(stock: 0).needs
        var shelf = try Self.shelf(stock: Int64(needs[3]))
        #expect(shelf.decide() && shelf.alert?.reason == .order)
        let said = shelf.alert
        shelf = try Self.shelf(stock: Int64(needs[4]))
        shelf.carry(said)
        #expect(!shelf.decide() && shelf.alert != nil)
        shelf = try Self.shelf(stock: Int64(needs[5]))
        shelf.carry(said)
        #expect(shelf.decide() && shelf.alert == nil)
    }

    @Test("counts what was sold today as part of what today was expected to sell")
    func today() throws {
        let needs = try Self.shelf(stock: 0).needs
        let shelf = try Self.shelf(stock: Int64(needs[4]))
        #expect(shelf.sell(10, on: Self.today))
        #expect(!shelf.decide() && shelf.alert == nil)
        // What goes beyond is demand that nobody expected.
        #expect(shelf.sell(1, on: Self.today))
        #expect(shelf.decide() && shelf.alert != nil)
        #expect(shelf.sell(-1, on: Self.today))
        #expect(shelf.onHand == Int64(needs[4]) - 10)
        // Before the count: already in it. Days that are over: to be made anew.
        #expect(shelf.sell(5, on: Self.today.advanced(by: -1)))
        #expect(shelf.onHand == Int64(needs[4]) - 10)
    }

    @Test("orders only what is not on its way already")
    func onOrder() throws {
        let needs = try Self.shelf(stock: 0).needs
        let plain = try Self.shelf(stock: Int64(needs[2]))
        #expect(plain.decide())
        let without = try #require(plain.alert?.units)
        let part = try Self.shelf(stock: Int64(needs[2]))
        part.expect(12, in: 2)
        part.expect(7, in: 3)
        _ = part.decide()
        // On the third day come 12, so that the order may wait, and is for a day more.
        let alert = try #require(part.alert)
        #expect(alert.by >= Self.today.advanced(by: 1))
        let last = alert.by.daysSince1970 - Self.today.daysSince1970 + 8
        #expect(Int64(alert.units) == Int64(needs[Int(last)]) - Int64(needs[2]) - 19)
        #expect(without > 0)
        let all = try Self.shelf(stock: Int64(needs[2]))
        all.expect(200, in: 2)
        #expect(!all.decide() && all.alert == nil)
    }

    @Test("orders what bridges the time until goods come, where that can come earlier")
    func bridges() throws {
        let needs = try Self.shelf(stock: 0).needs
        let late = try Self.shelf(stock: Int64(needs[1]), rule: OrderRule(leadDays: 2))
        late.expect(200, in: 5)
        #expect(late.decide())
        let alert = try #require(late.alert)
        #expect(alert.reason == .order && alert.by == Self.today)
        #expect(alert.units == needs[4] - needs[1])
        // What is ordered now would come after it.
        let slow = try Self.shelf(stock: Int64(needs[1]), rule: OrderRule(leadDays: 5))
        slow.expect(200, in: 5)
        #expect(!slow.decide() && slow.alert == nil)
    }

    @Test("has on it from its day on what was due, unless it was counted since")
    func delivered() throws {
        let shelf = try Self.shelf(stock: 30)
        shelf.expect(500, in: 0)
        #expect(shelf.onHand == 30)
        var older = Shelf(
            item: try ItemID("7"), rule: OrderRule(), counted: Self.today.advanced(by: -3),
            today: Self.today, base: 30)
        for days in [-3, -1, 0, 1] {
            older.expect(Delivery(due: Self.today.advanced(by: days), units: 100))
        }
        #expect(older.onHand == 230)
        #expect(older.onOrder == [Delivery(due: Self.today.advanced(by: 1), units: 100)])
    }

    @Test("takes what a device sold for its share of the store, and has never less than nothing")
    func share() throws {
        let shelf = try Self.shelf(stock: 100, share: 0.25)
        #expect(shelf.sell(5, on: Self.today))
        #expect(shelf.onHand == 80)
        #expect(shelf.sell(50, on: Self.today))
        #expect(shelf.onHand == 0)
    }

    @Test("orders nothing without a forecast, nor where nothing is expected")
    func nothingExpected() throws {
        let blind = Kept(
            Shelf(
                item: try ItemID("7"), rule: OrderRule(), counted: Self.today, today: Self.today,
                base: 0))
        #expect(!blind.decide())
        let closed = try Self.shelf(stock: 0, means: [Float](repeating: 0, count: 14))
        #expect(!closed.decide() && closed.alert == nil)
    }
}
