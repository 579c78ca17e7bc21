/// What kind of forecaster a family is. The raw values are those of the package format.
package enum ModelForm: UInt8, CaseIterable, Sendable {
    /// Lagged sales in, the next day out, each series standardised by its own mean and deviation.
    case plain = 1
    /// Demand relative to the level, with the calendar beside it.
    case calendar = 2
    /// The network corrects level × weekday × month.
    case profile = 3

    package var name: String {
        switch self {
        case .plain: "plain"
        case .calendar: "calendar"
        case .profile: "profile"
        }
    }

    package init?(name: String) {
        for form in Self.allCases where form.name.utf8.elementsEqual(name.utf8) {
            self = form
            return
        }
        return nil
    }
}

/// The columns a window's row has after its first one, the day's demand, in this order. Row `t` carries
/// the demand of day `t` and describes the day *after* it, so that the last row describes the day to be
/// forecast.
package struct FeatureInputs: OptionSet, Hashable, Sendable {
    package var rawValue: UInt16
    package init(rawValue: UInt16) { self.rawValue = rawValue }

    /// 7 columns, one of them 1: Monday first.
    package static let weekday = FeatureInputs(rawValue: 1)
    /// 12 columns, one of them 1.
    package static let month = FeatureInputs(rawValue: 2)
    /// Sine and cosine of the position in the year.
    package static let yearCircle = FeatureInputs(rawValue: 4)
    /// Sine and cosine of the position in the month: pay days and benefit days.
    package static let monthCircle = FeatureInputs(rawValue: 8)
    /// How fast the item sells, a quarter of the level's natural logarithm, the same in every row.
    package static let levelLogarithm = FeatureInputs(rawValue: 16)
    /// The item's persistence, the same in every row.
    package static let persistence = FeatureInputs(rawValue: 32)

    /// 1 on a day that the store's calendar calls a holiday, for the item or for all.
    package static let holiday = FeatureInputs(rawValue: 64)
    /// 1 on a day of a promotion.
    package static let promotion = FeatureInputs(rawValue: 128)

    package static let all: FeatureInputs = [
        .weekday, .month, .yearCircle, .monthCircle, .levelLogarithm, .persistence, .planned,
    ]
    /// What a calendar has to tell.
    package static let planned: FeatureInputs = [.holiday, .promotion]

    /// The marks that are inputs.
    package var marks: DayMarks {
        var marks: DayMarks = []
        if contains(.holiday) { marks.insert(.holiday) }
        if contains(.promotion) { marks.insert(.promotion) }
        return marks
    }

    package var columns: Int {
        (contains(.weekday) ? 7 : 0) + (contains(.month) ? 12 : 0)
            + (contains(.yearCircle) ? 2 : 0) + (contains(.monthCircle) ? 2 : 0)
            + (contains(.levelLogarithm) ? 1 : 0) + (contains(.persistence) ? 1 : 0)
            + (contains(.holiday) ? 1 : 0) + (contains(.promotion) ? 1 : 0)
    }
}

/// What the network's output `y` means, and with it how demand enters.
package enum OutputKind: UInt8, Sendable {
    /// `units = level + scale · y`; demand enters as `(units − level) / scale`.
    case zScore = 1
    /// `units = level · (1 + y)`; demand enters as `units / level − 1`.
    case relative = 2
    /// `units = level · factor · exp(y)`; demand enters as `units / (level · factor) − 1`.
    case logResidual = 3
}

/// Why a feature specification cannot be used.
package enum FeatureSpecError: Error, Equatable, Sendable {
    case window(Int)
    case levelRate
    case unknownInputs(rawValue: UInt16)
    /// The output kind does not belong to the form.
    case output(OutputKind, form: ModelForm)
}

/// What the network sees and how its output becomes units: shared by training, compression and device.
package struct FeatureSpec: Equatable, Sendable {
    package static let windowRange: ClosedRange<Int> = 1...64
    /// The demand column is held within these, so that one odd day cannot drown the others in INT8.
    package static let demandRange: ClosedRange<Float> = -4...4

    package var form: ModelForm
    /// Calendar days the network looks back.
    package var window: Int
    /// Of the level's exponential smoothing, 0...1; 0 keeps the level where the package put it.
    package var levelRate: Float
    package var inputs: FeatureInputs
    package var output: OutputKind

    package init(
        form: ModelForm, window: Int, levelRate: Float, inputs: FeatureInputs, output: OutputKind
    ) {
        self.form = form
        self.window = window
        self.levelRate = levelRate
        self.inputs = inputs
        self.output = output
    }

    /// Columns of one row of a window.
    package var inputWidth: Int { 1 + inputs.columns }
    /// Values of one window: `window · inputWidth`.
    package var windowValues: Int { window * inputWidth }

    /// To be called on what came from outside before anything else uses it.
    package func validate() throws(FeatureSpecError) {
        guard Self.windowRange.contains(window) else { throw .window(window) }
        guard levelRate >= 0, levelRate <= 1 else { throw .levelRate }
        guard inputs.isSubset(of: .all) else { throw .unknownInputs(rawValue: inputs.rawValue) }
        let fits =
            switch form {
            case .plain: output == .zScore
            case .calendar: output == .zScore || output == .relative
            case .profile: output == .logResidual
            }
        guard fits else { throw .output(output, form: form) }
    }
}
