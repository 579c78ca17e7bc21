/// One day's total of one item in one store.
package struct DemandDay: Equatable, Sendable {
    /// Nil: not known (not received, or before the item's launch). Never negative.
    package var units: Int32?
    /// False on a day the store did no business. Zero units on such a day say nothing about demand.
    package var isOpen: Bool
    /// What was planned for the day and is an input of some models: a holiday, a promotion.
    package var marks: DayMarks

    package init(units: Int32?, isOpen: Bool = true, marks: DayMarks = []) {
        self.units = units
        self.isOpen = isOpen
        self.marks = marks
    }

    package static let unknown = DemandDay(units: nil)
    package static let closed = DemandDay(units: nil, isOpen: false)

    /// What the day says about demand; nil for an unknown or closed day.
    package var observedUnits: Float? {
        guard isOpen, let units else { return nil }
        return Float(units)
    }
}

/// Where an item's series starts on a device, as of the package's as-of day.
package struct SeriesStart: Equatable, Sendable {
    package var item: ItemID
    /// Units per day after the profile's factors are divided out; for the plain form the mean of the
    /// training days.
    package var level: Float
    /// The plain form's standard deviation over the training days; 1 and unused in the other forms.
    package var scale: Float
    /// Index into the model's profiles; 0 and unused in forms without one.
    package var profile: UInt16
    /// How long the item's demand stays off its level once it has left it, beside what is usual: 0 for the
    /// usual item, and for one that nothing is known of.
    package var persistence: Float

    package static let persistenceRange: ClosedRange<Float> = -2...(127.0 / 64)

    package init(
        item: ItemID, level: Float, scale: Float, profile: UInt16, persistence: Float = 0
    ) {
        self.item = item
        self.level = level
        self.scale = scale
        self.profile = profile
        self.persistence = persistence
    }
}
