import Forecasting
package import Foundation

/// Why stored bytes are no family.
package enum FamilyCodingError: Error, Equatable, Sendable {
    /// Not the JSON of a family, or damaged; with what the decoder said.
    case damaged(String)
    /// Written by a later version of this program.
    case unknownVersion(Int)
    /// The field has a value that no training run gives.
    case field(String)
}

/// The stored form of a family: JSON with sorted keys, weights and levels as the base64 of their
/// little-endian bit patterns, so that they come back bit for bit. The same family gives the same bytes.
extension TrainedFamily {
    package func encoded() throws -> Data {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys]
        return try encoder.encode(FamilyRecord(self))
    }

    /// - Throws: `FamilyCodingError`.
    package init(encoded data: Data) throws {
        let record: FamilyRecord
        do {
            let version = try JSONDecoder().decode(VersionRecord.self, from: data).version
            guard version == FamilyRecord.version else {
                throw FamilyCodingError.unknownVersion(version)
            }
            record = try JSONDecoder().decode(FamilyRecord.self, from: data)
        } catch let error as DecodingError {
            throw FamilyCodingError.damaged("\(error)")
        }
        self = try record.family()
    }
}

private struct VersionRecord: Codable {
    var version: Int
}

private struct FamilyRecord: Codable {
    static let version = 1
    private static let logarithmicSquare = "logarithmicSquare"
    private static let absolutePercentage = "absolutePercentage"

    var version: Int
    var form: String
    var window: Int
    var levelRate: Data
    var inputs: UInt16
    var output: UInt8
    var profiles: [Data]
    /// Nil where every day is like another.
    var calendar: CalendarRecord?
    var asOf: String
    var stores: [StoreRecord]
    var variants: [VariantRecord]
    var baselines: [BaselineRecord]
    var evaluatedFrom: String
    var evaluatedDays: Int
    /// Nil is the mean square, unless there is a Tweedie power.
    var loss: String?
    var tweediePower: Float?
    var seed: UInt64
    var trainingWindows: Int
    /// Days by store; nil where there are none.
    var levelRestarts: [String: String]?

    init(_ family: TrainedFamily) {
        version = Self.version
        form = family.spec.form.name
        window = family.spec.window
        levelRate = Data(bits: [family.spec.levelRate])
        inputs = family.spec.inputs.rawValue
        output = family.spec.output.rawValue
        profiles = family.profiles.map { Data(bits: $0.weekday + $0.month) }
        calendar = CalendarRecord(family.profiles[0].calendar)
        asOf = family.asOf.iso8601
        stores = family.starts.map(StoreRecord.init)
        variants = family.variants.map(VariantRecord.init)
        baselines = family.baselines.map {
            BaselineRecord(name: $0.name, accuracy: AccuracyRecord($0.accuracy))
        }
        evaluatedFrom = family.evaluatedFrom.iso8601
        evaluatedDays = family.evaluatedDays
        switch family.loss {
        case .automatic, .meanSquare: break
        case .logarithmicSquare: loss = Self.logarithmicSquare
        case .absolutePercentage: loss = Self.absolutePercentage
        case .tweedie(let power): tweediePower = power
        }
        seed = family.seed
        trainingWindows = family.trainingWindows
        if !family.levelRestarts.isEmpty {
            levelRestarts = Dictionary(
                uniqueKeysWithValues: family.levelRestarts.map { ($0.key.text, $0.value.iso8601) })
        }
    }

    private func restarts() throws -> [StoreID: BusinessDay] {
        var restarts: [StoreID: BusinessDay] = [:]
        for (store, day) in levelRestarts ?? [:] {
            // Whatever is wrong with it: it is not what was written.
            guard let store = try? StoreID(store), let day = BusinessDay(iso8601: Array(day.utf8))
            else { throw FamilyCodingError.field("levelRestarts") }
            restarts[store] = day
        }
        return restarts
    }

    private func trainedLoss() throws -> Loss {
        switch (loss, tweediePower) {
        case (nil, let power?): return .tweedie(power: power)
        case (nil, nil): return .meanSquare
        case (Self.logarithmicSquare, nil): return .logarithmicSquare
        case (Self.absolutePercentage, nil): return .absolutePercentage
        default: throw FamilyCodingError.field("loss")
        }
    }

    func family() throws -> TrainedFamily {
        guard let form = ModelForm(name: form) else { throw FamilyCodingError.field("form") }
        guard let output = OutputKind(rawValue: output) else {
            throw FamilyCodingError.field("output")
        }
        guard let rate = levelRate.floats(1)?.first else {
            throw FamilyCodingError.field("levelRate")
        }
        let spec = FeatureSpec(
            form: form, window: window, levelRate: rate,
            inputs: FeatureInputs(rawValue: inputs), output: output)
        do { try spec.validate() } catch { throw FamilyCodingError.field("\(error)") }
        guard let asOf = BusinessDay(iso8601: Array(asOf.utf8)),
            let evaluatedFrom = BusinessDay(iso8601: Array(evaluatedFrom.utf8)), evaluatedDays >= 0
        else { throw FamilyCodingError.field("day") }
        guard !profiles.isEmpty else { throw FamilyCodingError.field("profiles") }
        var trained: [TrainedVariant] = []
        for record in variants {
            trained.append(try record.variant(spec, taken: trained.map(\.name)))
        }
        let calendar = try calendar?.calendar() ?? .flat
        return TrainedFamily(
            spec: spec,
            profiles: try profiles.map { data in
                guard let factors = data.floats(SeasonalProfile.weekdays + SeasonalProfile.months)
                else { throw FamilyCodingError.field("profiles") }
                return SeasonalProfile(
                    weekday: Array(factors[..<SeasonalProfile.weekdays]),
                    month: Array(factors[SeasonalProfile.weekdays...]), calendar: calendar)
            }, asOf: asOf, starts: try stores.map { try $0.store(profiles: profiles.count) },
            variants: trained,
            baselines: try baselines.map {
                NamedAccuracy(name: $0.name, accuracy: try $0.accuracy.accuracy())
            }, evaluatedFrom: evaluatedFrom, evaluatedDays: evaluatedDays,
            loss: try trainedLoss(), seed: seed,
            trainingWindows: trainingWindows, levelRestarts: try restarts())
    }
}

private struct CalendarRecord: Codable {
    /// Nil where one day of the month is like another.
    var daysOfMonth: Data?
    /// Codes of `AnnualRule`.
    var specialDays: [UInt16]
    var specialFactors: Data

    /// Nil where every day is like another.
    init?(_ calendar: DemandCalendar) {
        guard !calendar.isFlat else { return nil }
        daysOfMonth = calendar.dayOfMonth.isEmpty ? nil : Data(bits: calendar.dayOfMonth)
        specialDays = calendar.specialDays.map(\.rule.code)
        specialFactors = Data(bits: calendar.specialDays.map(\.factor))
    }

    func calendar() throws -> DemandCalendar {
        let range = DemandCalendar.factorRange
        guard specialDays.count <= DemandCalendar.specialDaysMax,
            let factors = specialFactors.floats(specialDays.count),
            factors.allSatisfy({ $0 == 0 || range.contains($0) }),
            let days = daysOfMonth.map({ $0.floats(DemandCalendar.daysOfMonth) }) ?? [],
            days.allSatisfy(range.contains)
        else { throw FamilyCodingError.field("calendar") }
        return DemandCalendar(
            dayOfMonth: days,
            specialDays: try zip(specialDays, factors).map { code, factor in
                guard let rule = AnnualRule(code: code) else {
                    throw FamilyCodingError.field("calendar")
                }
                return SpecialDay(rule: rule, factor: factor)
            })
    }
}

private struct StoreRecord: Codable {
    var store: String
    var items: [String]
    var levels: Data
    var scales: Data
    var profiles: [UInt16]
    /// Nil where all are 0.
    var persistences: Data?

    init(_ starts: StoreStarts) {
        store = starts.store.text
        items = starts.starts.map(\.item.text)
        levels = Data(bits: starts.starts.map(\.level))
        scales = Data(bits: starts.starts.map(\.scale))
        profiles = starts.starts.map(\.profile)
        if starts.starts.contains(where: { $0.persistence != 0 }) {
            persistences = Data(bits: starts.starts.map(\.persistence))
        }
    }

    func store(profiles count: Int) throws -> StoreStarts {
        guard let levels = levels.floats(items.count), let scales = scales.floats(items.count),
            profiles.count == items.count, profiles.allSatisfy({ $0 < count })
        else { throw FamilyCodingError.field("starts") }
        guard
            let persistences = persistences.map({ $0.floats(items.count) })
                ?? [Float](repeating: 0, count: items.count),
            persistences.allSatisfy(SeriesStart.persistenceRange.contains)
        else { throw FamilyCodingError.field("persistences") }
        do throws(IdentifierError) {
            var starts: [SeriesStart] = []
            for (index, item) in items.enumerated() {
                starts.append(
                    SeriesStart(
                        item: try ItemID(item), level: levels[index], scale: scales[index],
                        profile: profiles[index], persistence: persistences[index]))
            }
            return StoreStarts(store: try StoreID(store), starts: starts)
        } catch {
            throw FamilyCodingError.field("identifier")
        }
    }
}

/// What a later version of this program added is optional: families stored before it lack it.
private struct VariantRecord: Codable {
    var name: String?
    var recipe: String?
    /// Nil: an LSTM.
    var cell: String?
    var units: Int
    var parameters: Data
    var uncompressed: UncompressedRecord?
    var integer: IntegerRecord?
    var coding: String?
    var validation: AccuracyRecord
    var test: AccuracyRecord?
    var trainingLosses: Data
    var validationLosses: Data
    var bestEpoch: Int

    init(_ variant: TrainedVariant) {
        name = variant.name
        recipe = variant.recipe
        cell = variant.parameters.shape.cell.name
        units = variant.units
        parameters = Data(bits: variant.parameters.flattened)
        uncompressed = variant.uncompressed.map {
            UncompressedRecord(units: $0.units, parameters: Data(bits: $0.flattened))
        }
        integer = variant.integer.map(IntegerRecord.init)
        coding = variant.coding
        validation = AccuracyRecord(variant.validation)
        test = variant.test.map(AccuracyRecord.init)
        trainingLosses = Data(bits: variant.trainingLosses)
        validationLosses = Data(bits: variant.validationLosses)
        bestEpoch = variant.bestEpoch
    }

    /// - Parameter taken: names of the variants before it.
    func variant(_ spec: FeatureSpec, taken: [String]) throws -> TrainedVariant {
        guard (1...NetworkShape.unitsMax).contains(units) else {
            throw FamilyCodingError.field("units")
        }
        guard let cell = CellKind(name: cell ?? CellKind.lstm.name) else {
            throw FamilyCodingError.field("cell")
        }
        let shape = NetworkShape(cell: cell, inputWidth: spec.inputWidth, units: units)
        let uncompressed = try uncompressed?.network(cell, inputWidth: spec.inputWidth)
        let name =
            name ?? TrainedVariant.freeName("\(spec.form.name)-\(units)", taken: taken)
        guard Self.isText(name, bytesMax: TrainedVariant.nameBytesMax), !taken.contains(name) else {
            throw FamilyCodingError.field("name")
        }
        let recipe = recipe ?? "\(cell.name)\(units)"
        guard Self.isText(recipe, bytesMax: TrainedVariant.recipeBytesMax) else {
            throw FamilyCodingError.field("recipe")
        }
        if let coding {
            guard Self.isText(coding, bytesMax: TrainedVariant.nameBytesMax) else {
                throw FamilyCodingError.field("coding")
            }
        }
        let parameters = try Self.network(parameters, shape, field: "parameters")
        guard let training = trainingLosses.floats(), let validations = validationLosses.floats()
        else { throw FamilyCodingError.field("losses") }
        return TrainedVariant(
            name: name, recipe: recipe, parameters: parameters, uncompressed: uncompressed,
            integer: try integer?.network(shape), coding: coding,
            validation: try validation.accuracy(), test: try test?.accuracy(),
            trainingLosses: training, validationLosses: validations, bestEpoch: bestEpoch)
    }

    static func network(
        _ data: Data, _ shape: NetworkShape, field: String
    ) throws -> NetworkParameters {
        guard let flat = data.floats(shape.parameterCount), flat.allSatisfy(\.isFinite)
        else { throw FamilyCodingError.field(field) }
        return NetworkParameters(shape: shape, flattened: flat)
    }

    private static func isText(_ text: String, bytesMax: Int) -> Bool {
        (1...bytesMax).contains(text.utf8.count)
            && text.utf8.allSatisfy { (0x20...0x7E).contains($0) }
    }
}

/// A network of its variant's cell, of other units perhaps.
private struct UncompressedRecord: Codable {
    var units: Int
    var parameters: Data

    func network(_ cell: CellKind, inputWidth: Int) throws -> NetworkParameters {
        guard (1...NetworkShape.unitsMax).contains(units) else {
            throw FamilyCodingError.field("uncompressed")
        }
        return try VariantRecord.network(
            parameters, NetworkShape(cell: cell, inputWidth: inputWidth, units: units),
            field: "uncompressed")
    }
}

/// An integer network of its variant's shape.
private struct IntegerRecord: Codable {
    var inputSteps: Data
    var inputKernel: Data
    var inputMultipliers: [UInt16]
    var recurrentKernel: Data
    var recurrentMultipliers: [UInt16]
    var bias: [Int32]
    var scalars: [UInt16]
    var denseKernel: Data
    var denseBias: Int32
    var cellFractionBits: Int
    var hiddenFractionBits: Int
    var outputScale: Data
    /// Of the kernels that are products.
    var inputFactors: FactorsRecord?
    var recurrentFactors: FactorsRecord?

    init(_ network: IntegerNetwork) {
        inputSteps = Data(bits: network.inputSteps)
        inputKernel = Data(network.inputKernel.map { UInt8(bitPattern: $0) })
        inputMultipliers = network.inputMultiplierCodes
        recurrentKernel = Data(network.recurrentKernel.map { UInt8(bitPattern: $0) })
        recurrentMultipliers = network.recurrentMultiplierCodes
        bias = network.bias
        scalars = network.scalars
        denseKernel = Data(network.denseKernel.map { UInt8(bitPattern: $0) })
        denseBias = network.denseBias
        cellFractionBits = network.cellFractionBits
        hiddenFractionBits = network.hiddenFractionBits
        outputScale = Data(bits: [network.outputScale])
        inputFactors = network.inputFactors.map(FactorsRecord.init)
        recurrentFactors = network.recurrentFactors.map(FactorsRecord.init)
    }

    func network(_ shape: NetworkShape) throws -> IntegerNetwork {
        guard let steps = inputSteps.floats(), let scale = outputScale.floats(1)?.first else {
            throw FamilyCodingError.field("integer")
        }
        var network = IntegerNetwork(shape: shape)
        network.inputSteps = steps
        network.inputKernel = inputKernel.map { Int8(bitPattern: $0) }
        network.inputMultiplierCodes = inputMultipliers
        network.recurrentKernel = recurrentKernel.map { Int8(bitPattern: $0) }
        network.recurrentMultiplierCodes = recurrentMultipliers
        network.bias = bias
        network.scalars = scalars
        network.denseKernel = denseKernel.map { Int8(bitPattern: $0) }
        network.denseBias = denseBias
        network.cellFractionBits = cellFractionBits
        network.hiddenFractionBits = hiddenFractionBits
        network.outputScale = scale
        network.inputFactors = inputFactors?.factors
        network.recurrentFactors = recurrentFactors?.factors
        do { try network.validate() } catch { throw FamilyCodingError.field("integer: \(error)") }
        return network
    }
}

private struct FactorsRecord: Codable {
    var rank: Int
    var left: Data
    var right: Data
    var shift: Int

    init(_ factors: KernelFactors) {
        rank = factors.rank
        left = Data(factors.left.map { UInt8(bitPattern: $0) })
        right = Data(factors.right.map { UInt8(bitPattern: $0) })
        shift = factors.shift
    }

    /// The network's own validation looks at them.
    var factors: KernelFactors {
        KernelFactors(
            rank: rank, left: left.map { Int8(bitPattern: $0) },
            right: right.map { Int8(bitPattern: $0) }, shift: shift)
    }
}

private struct BaselineRecord: Codable {
    var name: String
    var accuracy: AccuracyRecord
}

private struct AccuracyRecord: Codable {
    var count: Int
    var zeroActualCount: Int
    var actualSum: Double
    var forecastSum: Double
    var absoluteErrorSum: Double
    var squaredErrorSum: Double
    var relativeErrorSum: Double
    var symmetricErrorSum: Double

    init(_ accuracy: Accuracy) {
        count = accuracy.count
        zeroActualCount = accuracy.zeroActualCount
        actualSum = accuracy.actualSum
        forecastSum = accuracy.forecastSum
        absoluteErrorSum = accuracy.absoluteErrorSum
        squaredErrorSum = accuracy.squaredErrorSum
        relativeErrorSum = accuracy.relativeErrorSum
        symmetricErrorSum = accuracy.symmetricErrorSum
    }

    func accuracy() throws -> Accuracy {
        guard
            let accuracy = Accuracy(
                count: count, zeroActualCount: zeroActualCount, actualSum: actualSum,
                forecastSum: forecastSum, absoluteErrorSum: absoluteErrorSum,
                squaredErrorSum: squaredErrorSum, relativeErrorSum: relativeErrorSum,
                symmetricErrorSum: symmetricErrorSum)
        else { throw FamilyCodingError.field("accuracy") }
        return accuracy
    }
}

extension Data {
    /// Little-endian bit patterns, four bytes each.
    fileprivate init(bits floats: [Float]) {
        self.init(capacity: 4 * floats.count)
        for value in floats {
            let bits = value.bitPattern
            for shift in [0, 8, 16, 24] { append(UInt8(truncatingIfNeeded: bits >> UInt32(shift))) }
        }
    }

    /// Nil when these are not whole floats, or not `count` of them.
    fileprivate func floats(_ expected: Int? = nil) -> [Float]? {
        guard self.count.isMultiple(of: 4), expected == nil || expected == self.count / 4 else {
            return nil
        }
        let bytes = [UInt8](self)
        return stride(from: 0, to: bytes.count, by: 4).map { at in
            var bits: UInt32 = 0
            for k in (0..<4).reversed() { bits = bits << 8 | UInt32(bytes[at + k]) }
            return Float(bitPattern: bits)
        }
    }
}
