import ArgumentParser
import Compression
import Forecasting
import Training

extension BusinessDay: ExpressibleByArgument {
    package init?(argument: String) {
        self.init(iso8601: Array(argument.utf8))
    }

    package var defaultValueDescription: String { iso8601 }
}

extension Identifier: ExpressibleByArgument {
    package init?(argument: String) {
        do { try self.init(argument) } catch { return nil }
    }

    package var defaultValueDescription: String { text }
}

/// `ModelForm` by name: its raw values are those of the package format, which help must not show.
enum FormArgument: String, CaseIterable, ExpressibleByArgument {
    case plain, calendar, profile

    var form: ModelForm {
        switch self {
        case .plain: .plain
        case .calendar: .calendar
        case .profile: .profile
        }
    }
}

/// `weekday,month`, or `none`.
struct InputsArgument: ExpressibleByArgument {
    var inputs: FeatureInputs

    init?(argument: String) {
        guard let inputs = FeatureInputs(names: argument) else { return nil }
        self.inputs = inputs
    }
}

/// `Loss` by name.
struct LossArgument: ExpressibleByArgument {
    var loss: Loss

    init?(argument: String) {
        guard let loss = Loss(name: argument) else { return nil }
        self.loss = loss
    }
}

/// `64,32,16`
struct UnitsList: ExpressibleByArgument {
    var units: [Int]

    init?(argument: String) {
        units = []
        for part in argument.split(separator: ",", omittingEmptySubsequences: false) {
            guard let value = Int(part), (1...NetworkShape.unitsMax).contains(value),
                !units.contains(value)
            else { return nil }
            units.append(value)
        }
    }
}
