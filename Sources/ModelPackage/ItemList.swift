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

    /// - Parameters:
    ///   - count: bounded by the caller.
    ///   - place: takes exactly `count` items, each after the one before it. The bytes are its to copy.
    static func read(
        count: Int, from reader: inout ByteReader,
        place: (Int, UnsafeBufferPointer<UInt8>) throws(PackageError) -> Void
    ) throws(PackageError) {
        var last = ItemBytes()
        var items = 0
        var next: UInt64 = 0
        for _ in 0..<(try reader.count(0...count, .itemRun)) {
            let gap = try reader.varint()
            guard gap < limit, items < count else { throw .field(.itemRun, index: items) }
            let length = try reader.count(0...count - items - 1, .itemRun, index: items)
            for number in next + gap...next + gap + UInt64(length) {
                guard number < limit else { throw .field(.itemRun, index: items) }
                var item = ItemBytes()
                item.append(digits: number)
                try take(item, after: &last, &items, place)
            }
            next += gap + UInt64(length) + 1
        }
        while items < count {
            let shared = try reader.count(0...last.count, .item, index: items)
            let length = try reader.count(1...ItemID.bytesMax, .item, index: items)
            guard shared + length <= ItemID.bytesMax else { throw .field(.item, index: items) }
            var item = ItemBytes()
            for i in 0..<shared { item.append(last[i]) }
            for byte in try reader.raw(length) { item.append(byte) }
            try take(item, after: &last, &items, place)
        }
    }

    private static func take(
        _ item: ItemBytes, after last: inout ItemBytes, _ items: inout Int,
        _ place: (Int, UnsafeBufferPointer<UInt8>) throws(PackageError) -> Void
    ) throws(PackageError) {
        let index = items
        let before = last
        try item.withBytes { utf8 throws(PackageError) in
            do throws(IdentifierError) { try ItemID.check(utf8) } catch {
                throw .field(.item, index: index)
            }
            try before.withBytes { before throws(PackageError) in
                guard index == 0 || ItemID.precedes(before, utf8) else {
                    throw .field(.itemOrder, index: index)
                }
            }
            try place(index, utf8)
        }
        last = item
        items += 1
    }

    private static var limit: UInt64 { 1_000_000_000_000_000_000 }

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
}

/// An identifier's bytes, on the stack.
private struct ItemBytes {
    private var bytes = InlineArray<32, UInt8>(repeating: 0)
    private(set) var count = 0

    subscript(index: Int) -> UInt8 { bytes[index] }

    /// - Precondition: fewer than 32 are there.
    mutating func append(_ byte: UInt8) {
        bytes[count] = byte
        count += 1
    }

    /// Without leading zeros.
    /// - Parameter digits: below 10^18.
    mutating func append(digits number: UInt64) {
        var divisor: UInt64 = 1
        while number / divisor >= 10 { divisor *= 10 }
        while divisor > 0 {
            append(UInt8(ascii: "0") + UInt8(number / divisor % 10))
            divisor /= 10
        }
    }

    func withBytes(
        _ body: (UnsafeBufferPointer<UInt8>) throws(PackageError) -> Void
    ) throws(PackageError) {
        var failure: PackageError?
        bytes.span.withUnsafeBufferPointer { all in
            do throws(PackageError) {
                try body(UnsafeBufferPointer(rebasing: all[..<count]))
            } catch { failure = error }
        }
        if let failure { throw failure }
    }
}
