import Forecasting

/// Ascending items in few bytes: numbers as runs of consecutive ones, everything else by what it does not share with
/// the item before. FORMAT.md, "Items".
enum ItemList {
    /// Numbers of more digits are texts.
    private static let digitsMax = 18

    static func write(_ items: [ItemID], to writer: inout ByteWriter) {
        var numbers: [UInt64] = []
        while numbers.count < items.count, let number = number(items[numbers.count]) {
            numbers.append(number)
        }
        var runs: [(first: UInt64, count: Int)] = []
        for number in numbers {
            if let last = runs.last, last.first + UInt64(last.count) == number {
                runs[runs.count - 1].count += 1
            } else {
                runs.append((number, 1))
            }
        }
        writer.count(runs.count)
        var next: UInt64 = 0
        for run in runs {
            writer.varint(run.first - next)
            writer.count(run.count - 1)
            next = run.first + UInt64(run.count)
        }
        for index in numbers.count..<items.count {
            let utf8 = items[index].utf8
            let before = index > 0 ? items[index - 1].utf8 : []
            var shared = 0
            while shared < min(before.count, utf8.count - 1), before[shared] == utf8[shared] {
                shared += 1
            }
            writer.count(shared)
            writer.text(utf8[shared...])
        }
    }

    /// - Parameter count: bounded by the caller.
    /// - Returns: exactly `count`; their order is still to be checked.
    static func decode(
        count: Int, from reader: inout ByteReader
    ) throws(PackageError) -> [ItemID] {
        var items: [ItemID] = []
        items.reserveCapacity(count)
        var next: UInt64 = 0
        for _ in 0..<(try reader.count(0...count, .itemRun)) {
            let gap = try reader.varint()
            guard gap < limit, items.count < count else {
                throw .field(.itemRun, index: items.count)
            }
            let length = try reader.count(0...count - items.count - 1, .itemRun, index: items.count)
            for number in next + gap...next + gap + UInt64(length) {
                guard number < limit else { throw .field(.itemRun, index: items.count) }
                items.append(try item(digits(number), index: items.count))
            }
            next += gap + UInt64(length) + 1
        }
        while items.count < count {
            let index = items.count
            let before = items.last?.utf8 ?? []
            let shared = try reader.count(0...before.count, .item, index: index)
            let length = try reader.count(1...ItemID.bytesMax, .item, index: index)
            items.append(try item(before[..<shared] + (try reader.raw(length)), index: index))
        }
        return items
    }

    private static var limit: UInt64 { 1_000_000_000_000_000_000 }

    private static func item(
        _ utf8: some Collection<UInt8>, index: Int
    ) throws(PackageError) -> ItemID {
        do { return try ItemID(utf8: utf8) } catch { throw .field(.item, index: index) }
    }

    /// Nil unless the item is a number as `digits` writes it.
    private static func number(_ item: ItemID) -> UInt64? {
        guard item.utf8.count <= digitsMax else { return nil }
        var number: UInt64 = 0
        for byte in item.utf8 {
            guard byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") else { return nil }
            number = number * 10 + UInt64(byte - UInt8(ascii: "0"))
        }
        return item.utf8[0] == UInt8(ascii: "0") && item.utf8.count > 1 ? nil : number
    }

    /// Without leading zeros.
    private static func digits(_ number: UInt64) -> [UInt8] {
        var (rest, digits) = (number, [UInt8]())
        repeat {
            digits.append(UInt8(ascii: "0") + UInt8(rest % 10))
            rest /= 10
        } while rest > 0
        return digits.reversed()
    }
}
