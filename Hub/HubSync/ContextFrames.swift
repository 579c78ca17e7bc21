package import SyncProtocol

/// Cuts a store's day totals into frames that a small device can take one at a time. Every frame
/// brings the table of just the items it speaks of.
package enum ContextFrames {
    /// About where a frame ends; a single day may go beyond, and stays below the kind's own ceiling.
    package static let payloadBytesTarget = 16 << 10

    /// - Parameters:
    ///   - items: what `days` and `levels` point into, at most `Limit.itemsCount`.
    ///   - calendar: goes with the last frame.
    ///   - revision: what the device has when it has taken all frames; every frame but the last says
    ///     `knownRevision`, so that a device cut off on the way asks for the whole again.
    /// - Returns: at least one frame; only the last has `more` = false.
    package static func pack(
        items: [String], days: [StoreDay], levels: [ItemLevel], ownShare: Float,
        knownRevision: UInt64, revision: UInt64, calendar: CalendarOfStore? = nil
    ) -> [Context] {
        precondition(items.count <= Limit.itemsCount)
        var frames: [Context] = []
        var frame = Frame(items: items)
        func next() {
            frames.append(frame.context)
            frame = Frame(items: items)
        }
        for day in days {
            if frame.bytes > payloadBytesTarget || frame.context.days.count == Limit.daysCount {
                next()
            }
            frame.add(day)
        }
        for level in levels {
            if frame.bytes > payloadBytesTarget { next() }
            frame.add(level)
        }
        if calendar != nil, frame.bytes > payloadBytesTarget { next() }
        frame.context.calendar = calendar
        frames.append(frame.context)
        for index in frames.indices {
            let isLast = index == frames.count - 1
            frames[index].more = !isLast
            frames[index].revision = isLast ? revision : knownRevision
            frames[index].ownShare = ownShare
        }
        return frames
    }

    /// One frame being filled, and about how many bytes it takes.
    private struct Frame {
        let items: [String]
        var context = Context()
        var bytes = 0
        private var indices: [UInt32: UInt32] = [:]

        init(items: [String]) { self.items = items }

        mutating func add(_ day: StoreDay) {
            var day = day
            for position in day.sold.indices {
                day.sold[position].itemIndex = index(of: day.sold[position].itemIndex)
            }
            bytes += 16 + day.sold.count * 10
            context.days.append(day)
        }

        mutating func add(_ level: ItemLevel) {
            var level = level
            level.itemIndex = index(of: level.itemIndex)
            bytes += 14
            context.levels.append(level)
        }

        private mutating func index(of item: UInt32) -> UInt32 {
            if let known = indices[item] { return known }
            let index = UInt32(context.items.count)
            indices[item] = index
            context.items.append(items[Int(item)])
            bytes += items[Int(item)].utf8.count + 2
            return index
        }
    }
}
