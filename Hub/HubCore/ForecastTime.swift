/// How long one forecast of a package takes on a device: measured there where it ever ran it, else assumed.
package enum ForecastTime: Hashable, Sendable {
    /// The device ran this very package and timed it.
    case measured(nanoseconds: Int)
    /// From the parameters, between what the device timed of the reference networks (SPEC 7.1). A package looks at its
    /// own number of days, and computes features, which take most of the smallest networks' time: that is left out.
    case assumed(nanoseconds: Int)
    /// The device has timed nothing.
    case unknown

    /// Parameters of the reference LSTM-16 and LSTM-64 with one input and a dense output.
    static let smallParameters = 1_169
    static let largeParameters = 16_961

    package init(of package: PackageRecord, on device: DeviceCapabilities) {
        if let measured = device.measured?.package(package.digest), measured.nanoseconds > 0 {
            self = .measured(nanoseconds: measured.nanoseconds)
            return
        }
        let small = Double(
            device.measured?.smallNanoseconds ?? device.int8Microseconds * 1000)
        guard small > 0 else {
            self = .unknown
            return
        }
        let large = Double(device.measured?.largeNanoseconds ?? 0)
        let smallParameters = Double(Self.smallParameters)
        // Without the larger reference: as if every parameter took the same.
        let each =
            large > small
            ? (large - small) / Double(Self.largeParameters - Self.smallParameters)
            : small / smallParameters
        // Below the smaller reference the features count for more than the network: nothing is taken off.
        let more = max(0, Double(package.parameterCount) - smallParameters)
        self = .assumed(nanoseconds: Int(min(small + each * more, 1e18)))
    }

    /// Nil when unknown.
    package var nanoseconds: Int? {
        switch self {
        case .measured(let nanoseconds), .assumed(let nanoseconds): nanoseconds
        case .unknown: nil
        }
    }

    /// Whether it is no reason against a package. Of what is unknown nothing is held against anybody: the device measures
    /// it as soon as it runs it.
    package func isWithin(nanosecondsMax: Int?) -> Bool {
        guard let nanosecondsMax, let nanoseconds else { return true }
        return nanoseconds <= nanosecondsMax
    }

    /// How it is known. Without the figure, which differs a little each time an agent starts.
    package var basis: String {
        switch self {
        case .measured: "measured on the device"
        case .assumed: "assumed, not measured yet"
        case .unknown: "not known, the device has measured nothing"
        }
    }

    /// "3.07 µs, as the device measured".
    package var text: String {
        switch self {
        case .measured(let nanoseconds): Figure.time(nanoseconds) + ", as the device measured"
        case .assumed(let nanoseconds): "about " + Figure.time(nanoseconds) + ", not measured yet"
        case .unknown: "a time the device has not measured"
        }
    }
}
