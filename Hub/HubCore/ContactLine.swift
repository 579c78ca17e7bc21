/// Tells a device from its copies. Two devices cloned from one image hold the same key and the same certificate, so the
/// hub numbers its contacts: each answer to Register gives a number that was never given before, the device keeps it, and says
/// it when it comes next. One device alone holds one number at any time; two that were one come with numbers of two lines.
///
/// What a single device may do raises no alarm. Its answer may be lost: then it comes with the number it came with
/// before. Its database may be restored from an older copy, or begun anew: then it comes with an older number, or with 0,
/// and never again with those it has lost. A restore to the wrong copy that is put right at once returns to a lost
/// number once. Copies return again and again.
///
/// The hardware a device names is a hint that decides faster: a number that does not go on exactly, on other
/// hardware than that of the last contact, is a copy's. It also tells which of the two is the original: that on the
/// hardware that registered first. Hardware that changes while the numbers go on exactly was moved or mended.
package struct ContactLine: Hashable, Sendable, Codable {
    package enum Copies: String, Hashable, Sendable, Codable {
        case none
        /// The original is known by its hardware; whatever else comes is turned away.
        case turnedAway
        /// Nobody can say which is the original: all of them are turned away.
        case undecided
    }

    package enum Verdict: Hashable, Sendable {
        /// - Parameters:
        ///   - number: the device keeps it until its next contact.
        ///   - note: for the operator; nil: nothing new.
        case welcome(number: UInt64, note: String?)
        /// - Parameter isNew: whether the operator has to hear of it.
        case copy(isNew: Bool)
    }

    /// Numbers of lines that were left, the latest last.
    static let lostMax = 32
    /// Returns to a lost number that no single device makes.
    static let returnsMax = 2

    /// What the device said at its last contact, and what it was given: the highest number so far.
    private var stated: UInt64 = 0
    private var given: UInt64 = 0
    private var lost: [UInt64] = []
    private var returns = 0
    /// Of the last contact, and of the first; empty: it named none.
    private var hardware: [UInt8] = []
    private var firstHardware: [UInt8] = []
    package private(set) var copies = Copies.none

    package init() {}

    /// A device registers.
    /// - Parameters:
    ///   - stated: the number it holds; 0: none.
    ///   - hardware: what it names; empty: nothing.
    package mutating func meet(stated number: UInt64, hardware: [UInt8]) -> Verdict {
        if firstHardware.isEmpty { firstHardware = hardware }
        let isOther = !hardware.isEmpty && !self.hardware.isEmpty && hardware != self.hardware
        switch copies {
        case .undecided:
            return .copy(isNew: false)
        case .turnedAway:
            // What names no hardware could be either.
            guard hardware == firstHardware else { return .copy(isNew: false) }
            return welcome(number, hardware, note: nil)
        case .none:
            break
        }
        if number == given {
            return welcome(
                number, hardware,
                note: isOther ? "it goes on, on other hardware than before" : nil)
        }
        if isOther {
            copies = .turnedAway
            guard hardware == firstHardware else { return .copy(isNew: true) }
            return welcome(
                number, hardware,
                note: "a copy of it came from other hardware and is turned away from now on")
        }
        if number == stated { return welcome(number, hardware, note: nil) }
        if number != 0, let at = lost.firstIndex(of: number) {
            lost.remove(at: at)
            returns += 1
            guard returns < Self.returnsMax else {
                copies = .undecided
                return .copy(isNew: true)
            }
        }
        leave()
        return welcome(number, hardware, note: "it came back with an older state")
    }

    /// The operator says that one device is left. The next to come is it.
    package mutating func forgetCopies() {
        copies = .none
        (lost, returns) = ([], 0)
        (hardware, firstHardware) = ([], [])
    }

    /// The line so far is left; one of its two numbers may come back.
    private mutating func leave() {
        lost += [stated, given].filter { $0 != 0 }
        lost.removeFirst(max(0, lost.count - Self.lostMax))
    }

    private mutating func welcome(
        _ number: UInt64, _ hardware: [UInt8], note: String?
    ) -> Verdict {
        stated = number
        given += 1
        if !hardware.isEmpty { self.hardware = hardware }
        return .welcome(number: given, note: note)
    }
}
