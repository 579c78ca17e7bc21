package import Forecasting

/// The parts of a package file, in the order they stand in it. Raw values are FORMAT.md's.
package enum PackageSection: UInt8, CaseIterable, Sendable {
    case manifest = 1
    case network = 2
    case profiles = 3
    case calendar = 4
    case starts = 5
    case goldenVectors = 6
    case kernels = 7

    package var name: String {
        switch self {
        case .manifest: "manifest"
        case .network: "network"
        case .profiles: "profiles"
        case .starts: "starts"
        case .goldenVectors: "golden vectors"
        case .calendar: "calendar"
        case .kernels: "kernels"
        }
    }

    /// A section may not unpack to more than this.
    package var bytesMax: Int {
        switch self {
        case .manifest: 2_048
        case .network: 128 * 1_024
        case .profiles: 160 * 1_024
        case .starts: 192 * 1_024
        case .goldenVectors: 16 * 1_024
        case .calendar: 256
        case .kernels: 128 * 1_024
        }
    }
}

/// Fields a package can be refused for.
package enum PackageField: Sendable {
    case number, features, feature, family, variant, recipe, lineage, form, output, store, asOf
    case arenaBytes, evaluation, newItemScale, cell, units, inputWidth
    case stepRun
    case coding, codeTable, codeLengths, codePrior, codeRank, codeSymbol, codeStream
    case profileCount, factor, startCount, item, itemRun, itemOrder, level, scale, profileIndex
    case persistence, tiles, calendar, dayOfMonth, specialDayCount, specialDay
    case goldenCount, goldenItem, goldenLevel, goldenTarget, goldenDay, goldenOutput, goldenUnits

    package var name: String {
        switch self {
        case .number: "a number"
        case .features: "the count of required features"
        case .feature: "a required feature"
        case .family: "the family"
        case .variant: "the variant"
        case .recipe: "the recipe"
        case .lineage: "the lineage"
        case .form: "the model's form"
        case .output: "the output kind"
        case .store: "the store"
        case .asOf: "the as-of day"
        case .arenaBytes: "the stated arena"
        case .evaluation: "the evaluation"
        case .newItemScale: "the scale of new items"
        case .cell: "the cell"
        case .units: "the units"
        case .inputWidth: "the input width"
        case .stepRun: "a run of input steps"
        case .coding: "a tensor's coding"
        case .codeTable: "a coding's table of values"
        case .codeLengths: "a Huffman code's lengths"
        case .codePrior: "a range coding's parameters"
        case .codeRank: "a kernel's factors"
        case .codeSymbol: "a coded element"
        case .codeStream: "the range stream"
        case .profileCount: "the count of profiles"
        case .factor: "a profile's factor"
        case .startCount: "the count of items"
        case .item: "an item"
        case .itemRun: "a run of items"
        case .itemOrder: "the order of items"
        case .level: "an item's level"
        case .scale: "an item's scale"
        case .profileIndex: "an item's profile"
        case .persistence: "an item's persistence"
        case .tiles: "a kernel's tiles"
        case .calendar: "the calendar"
        case .dayOfMonth: "a day of the month's factor"
        case .specialDayCount: "the count of special days"
        case .specialDay: "a special day"
        case .goldenCount: "the count of golden vectors"
        case .goldenItem: "a golden vector's item"
        case .goldenLevel: "a golden vector's level"
        case .goldenTarget: "a golden vector's day"
        case .goldenDay: "a golden vector's demand"
        case .goldenOutput: "a golden vector's output"
        case .goldenUnits: "a golden vector's units"
        }
    }
}

/// Why bytes are no package, or values cannot be one. Nothing has been changed when it is thrown.
package enum PackageError: Error, Equatable, Sendable {
    case fileTooLarge(bytes: Int, bytesMax: Int)
    /// The first four bytes are not the magic.
    case notAPackage
    /// Written by an earlier or a later program.
    case unsupportedVersion(UInt8)
    /// A section this program does not know and may not skip.
    case unknownSection(tag: UInt8)
    /// Repeated, or before one that precedes it.
    case sectionOutOfOrder(PackageSection)
    case missingSection(PackageSection)
    /// The bytes end inside this section, or inside a section's head when nil.
    case truncated(PackageSection?)
    /// The section goes on after its last field.
    case strayBytes(PackageSection, count: Int)
    /// A section announces more than it may hold.
    case sectionTooLarge(PackageSection, bytes: UInt64, bytesMax: Int)
    /// An unknown packing, or packed bytes that do not unpack to exactly what was announced.
    case packing(PackageSection)
    /// Malformed or out of range; `index` counts within its list, 0 where there is none.
    case field(PackageField, index: Int)
    case spec(FeatureSpecError)
    case network(IntegerNetworkError)
    /// Reading it takes more than it states.
    case arena(statedBytes: Int, neededBytes: Int)

    /// For an operator: what is wrong with the package.
    package var message: String {
        switch self {
        case .fileTooLarge(let bytes, let bytesMax):
            "the package has \(bytes) bytes, more than the \(bytesMax) allowed"
        case .notAPackage: "these bytes are no model package"
        case .unsupportedVersion(let version):
            "the package has format version \(version) and this program reads version "
                + "\(ModelPackage.formatVersion): "
                + (version < ModelPackage.formatVersion
                    ? "build it again on the hub" : "update this program")
        case .unknownSection(let tag): "the package has a section \(tag) this program does not know"
        case .sectionOutOfOrder(let section):
            "the package's section \(section.name) is repeated or out of order"
        case .missingSection(let section): "the package has no section \(section.name)"
        case .truncated(let section?): "the package ends inside its section \(section.name)"
        case .truncated(nil): "the package ends inside the head of a section"
        case .strayBytes(let section, let count):
            "the package's section \(section.name) has \(count) bytes too many"
        case .sectionTooLarge(let section, let bytes, let bytesMax):
            "the package's section \(section.name) announces \(bytes) bytes, more than the \(bytesMax) allowed"
        case .packing(let section): "the package's section \(section.name) does not unpack"
        case .field(let field, let index):
            "the package is malformed at \(field.name) (number \(index))"
        case .spec: "the package's feature specification is not usable"
        case .network: "the package's network is not usable"
        case .arena(let stated, let needed):
            "the package states an arena of \(stated) bytes but takes \(needed) or more"
        }
    }
}
