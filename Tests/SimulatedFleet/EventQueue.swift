/// What happens in the fleet, each at its minute.
enum Happening {
    // To a device, by its number.
    case start(Int)
    case contact(Int)
    case close(Int)
    case window(Int)
    case fault(Int)
    /// The hub has news for a connected device.
    case look(Int, epoch: Int)
    /// An answer that took its time.
    case answer(Int, epoch: Int, letter: Int)
    /// A message that the device gave up, and that reaches the hub all the same.
    case late(Int, letter: Int)
    // To the hub.
    case turn
    case hubFault
    case hubBack
    // To those who steer it.
    case operatorLooks
    case operatorActs
}

/// A binary heap: the earliest first, and of the same minute in the order they were put in.
struct EventQueue {
    private struct Entry {
        var minute: Int
        var order: Int
        var happening: Happening

        static func < (a: Entry, b: Entry) -> Bool {
            a.minute != b.minute ? a.minute < b.minute : a.order < b.order
        }
    }

    private var heap: [Entry] = []
    private(set) var count = 0

    mutating func add(_ happening: Happening, at minute: Int) {
        count += 1
        heap.append(Entry(minute: minute, order: count, happening: happening))
        var child = heap.count - 1
        while child > 0 {
            let parent = (child - 1) / 2
            guard heap[child] < heap[parent] else { break }
            heap.swapAt(child, parent)
            child = parent
        }
    }

    mutating func next() -> (minute: Int, happening: Happening)? {
        guard let first = heap.first else { return nil }
        let last = heap.removeLast()
        guard !heap.isEmpty else { return (first.minute, first.happening) }
        heap[0] = last
        var parent = 0
        while true {
            var least = parent
            for child in (2 * parent + 1)...(2 * parent + 2)
            where child < heap.count && heap[child] < heap[least] {
                least = child
            }
            guard least != parent else { break }
            heap.swapAt(parent, least)
            parent = least
        }
        return (first.minute, first.happening)
    }
}
