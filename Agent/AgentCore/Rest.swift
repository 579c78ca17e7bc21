/// When a device that has nothing to do gives memory back, and how much of it. Each costs time when work comes again, so
/// each happens once, after a quiet and not between two sales.
package struct Rest: Equatable, Sendable {
    package enum Depth: Equatable, Sendable {
        /// What the heap and the database hold and nobody uses.
        case heap
        /// The pages of the program's code as well.
        case heapAndCode
    }

    /// Nothing was to be done for so long.
    package static let quietMilliseconds: Int32 = 5_000
    /// Code goes only where no contact comes for so long.
    package static let sleepMilliseconds: Int64 = 60_000

    private var hasWorked = true
    private var hasBeenInTouch = true

    package init() {}

    package mutating func noteWork() { hasWorked = true }

    /// The hub was called, or asked something.
    package mutating func noteContact() { (hasWorked, hasBeenInTouch) = (true, true) }

    /// Whether a pause of at most so long is first one until `quietMilliseconds`, with `come` behind it where nothing
    /// has happened meanwhile.
    package func isWaitedFor(in pauseMilliseconds: Int32) -> Bool {
        hasWorked && pauseMilliseconds >= Self.quietMilliseconds
    }

    /// The quiet is there.
    /// - Parameter awayMilliseconds: until the next contact; nil while the device is connected.
    package mutating func come(awayMilliseconds: Int64?) -> Depth {
        hasWorked = false
        // Once between two contacts: fetching code back costs more than recording a sale.
        guard hasBeenInTouch, let awayMilliseconds, awayMilliseconds >= Self.sleepMilliseconds
        else { return .heap }
        hasBeenInTouch = false
        return .heapAndCode
    }
}
