/// Which halves of a profile are those of the profile before it. The raw values are FORMAT.md's.
struct ProfileRepeats: Equatable {
    var weekday: Bool
    var month: Bool

    static let nothing = ProfileRepeats(weekday: false, month: false)

    init(weekday: Bool, month: Bool) {
        self.weekday = weekday
        self.month = month
    }

    init(rawValue: UInt8) {
        self.init(weekday: rawValue & 1 != 0, month: rawValue & 2 != 0)
    }

    var rawValue: UInt8 { (weekday ? 1 : 0) | (month ? 2 : 0) }
}
