import ModelPackage

/// A package file put together by hand from FORMAT.md, field by field and with nothing packed: the golden bytes of
/// the format, and what rows about malformed fields start from.
struct RawPackage: Sendable {
    struct Field: Sendable {
        var name: String
        var bytes: [UInt8]
    }

    /// Magic, version, and an arena of 288 bytes.
    var header: [UInt8] = [0x53, 0x48, 0x50, 0x4B, 2, 0xA0, 2]
    /// By tag; in the file's order.
    var sections: [(tag: UInt8, fields: [Field])] = [
        (
            1,
            [
                Field(name: "feature count", bytes: [1]),
                Field(name: "feature", bytes: [12] + Array("lstm-int8-v2".utf8)),
                Field(name: "family", bytes: [2] + Array("f1".utf8)),
                Field(name: "variant", bytes: [2] + Array("p1".utf8)),
                Field(name: "recipe", bytes: [0]),
                Field(name: "lineage", bytes: [6] + Array("seed 1".utf8)),
                Field(name: "form", bytes: [3]),
                Field(name: "output", bytes: [3]),
                Field(name: "window", bytes: [2]),
                Field(name: "inputs", bytes: [0]),
                Field(name: "level rate", bytes: [0, 0, 0, 0x3E]),  // 0.125
                Field(name: "store", bytes: [2] + Array("s7".utf8)),
                Field(name: "as of", bytes: [0xA0, 0x9C, 1]),  // 20,000
                Field(name: "release", bytes: [0xAC, 2]),  // 300
                Field(name: "wape", bytes: [0x81, 1]),  // 128
                Field(name: "mape", bytes: [0]),
                Field(name: "bias", bytes: [6]),  // -3
                Field(name: "forecasts", bytes: [9]),
                Field(name: "new item scale", bytes: [0, 0, 0, 0x3F]),  // 0.5
            ]
        ),
        (
            2,
            [
                Field(name: "cell", bytes: [1]),
                Field(name: "input width", bytes: [1]),
                Field(name: "units", bytes: [1]),
                Field(name: "fraction bits", bytes: [0x47]),  // 12, 7
                Field(name: "output scale", bytes: [0xBC, 0]),  // 2^-7
                Field(name: "steps", bytes: [1, 0xC2, 0x80]),  // 64
                Field(name: "input kernel", bytes: [1, 1, 0xFF, 127, 0x81]),
                Field(name: "input multipliers", bytes: [3, 0, 8, 1, 9, 0xFF, 10, 0, 11]),
                // Four values, places 0, 1, 2, 3 in two bits each.
                Field(name: "recurrent kernel", bytes: [5, 3, 5, 6, 7, 8, 0xE4]),
                // Eleven zero bits; one value, 1.
                Field(name: "recurrent multipliers", bytes: [0xB8, 0, 0, 2]),
                Field(name: "gate bias", bytes: [2, 0, 0x80, 0x40, 1, 2]),  // 0, 4096, -1, 1
                // One value, 100, and no bits.
                Field(name: "dense kernel", bytes: [6, 100, 0, 1]),
                Field(name: "dense bias", bytes: [0x13]),  // -10
                Field(name: "network stream", bytes: []),
            ]
        ),
        (
            3,
            [
                Field(name: "profile count", bytes: [2]),
                Field(name: "factors", bytes: [8, 55, 10, 0x80, 0x80, 1]),  // from 8192
                Field(name: "profile stream", bytes: bytes(hex: RangeStreams.profiles)),
            ]
        ),
        (
            5,
            [
                Field(name: "start count", bytes: [2]),
                Field(name: "item runs", bytes: [1, 9, 1]),  // 9, 10
                Field(name: "items", bytes: []),
                Field(name: "levels", bytes: [0xD8, 13, 0, 0xF8, 7]),  // from 508
                Field(name: "start stream", bytes: bytes(hex: RangeStreams.starts)),
            ]
        ),
        (
            6,
            [
                Field(name: "golden count", bytes: [1]),
                Field(name: "golden item", bytes: [2]),  // 1
                Field(name: "golden level", bytes: [0, 0, 0x80, 0x40]),  // 4
                Field(name: "golden target", bytes: [2]),  // one day after
                Field(name: "golden days", bytes: [0, 7]),  // unknown, 5
                Field(name: "golden output", bytes: [0x13]),
                Field(name: "golden units", bytes: [0, 0, 0x80, 0x3F]),  // 1
            ]
        ),
    ]

    /// The same package with a FastGRNN: one block of weights, two of biases, two scalars.
    static var fastGRNN: RawPackage {
        var raw = RawPackage()
        raw["cell"] = [3]
        raw["fraction bits"] = [0x40]
        raw["input kernel"] = [1, 127]
        raw["input multipliers"] = [3, 0, 8]
        raw["recurrent kernel"] = [1, 0x81]
        raw["recurrent multipliers"] = [3, 1, 9]
        raw["gate bias"] = [2, 0, 1]  // 0, -1
        let end = raw.sections[1].fields.count - 1
        raw.sections[1].fields.insert(
            Field(name: "scalars", bytes: [0, 0x40, 1, 2]), at: end)
        return raw
    }

    /// The same package with a second input, the items' persistence, and a calendar.
    static var withCalendar: RawPackage {
        var raw = RawPackage()
        raw["inputs"] = [32]
        raw["input width"] = [2]
        raw["steps"] = [2, 0xC2, 0x80]
        raw["input kernel"] = [1, 1, 0xFF, 127, 0x81, 2, 3, 4, 5]
        let end = raw.sections[3].fields.count - 1
        raw.sections[3].fields.insert(
            Field(name: "persistences", bytes: [8, 63, 2, 0xFF, 1]), at: end)  // from -128
        raw["start stream"] = bytes(hex: RangeStreams.startsWithPersistences)
        raw.sections.insert(
            (
                4,
                [
                    Field(name: "days of the month", bytes: [31]),
                    Field(name: "day factors", bytes: [8, 0, 0, 0xFE, 0xFF, 7]),  // all 65,535
                    Field(name: "special day count", bytes: [2]),
                    Field(name: "special day 0", bytes: [0xCD, 5]),  // 358: 18 December, closed
                    // 875, 516 after 359: the last Sunday in December
                    Field(name: "special day 1", bytes: [0x88, 8]),
                    Field(name: "special factors", bytes: [0xD8, 0, 0, 2]),  // 8192
                    Field(name: "calendar stream", bytes: []),
                ]
            ), at: 3)
        return raw
    }

    /// The same package with promotions as a second input: the last day before the golden target had one.
    static var withPromotions: RawPackage {
        var raw = RawPackage()
        raw["feature count"] = [2]
        raw["feature"] += [17] + Array("planned-inputs-v1".utf8)
        raw["inputs"] = [0x80, 1]
        raw["input width"] = [2]
        raw["steps"] = [2, 0xC2, 0x80]
        raw["input kernel"] = [1, 1, 0xFF, 127, 0x81, 2, 3, 4, 5]
        let output = raw.sections[4].fields.firstIndex { $0.name == "golden output" }!
        raw.sections[4].fields.insert(Field(name: "golden marks", bytes: [8, 0]), at: output)
        return raw
    }

    static func bytes(hex: String) -> [UInt8] {
        let digits = [UInt8](hex.utf8).map { UInt8($0 >= 0x61 ? $0 - 0x57 : $0 - 0x30) }
        return stride(from: 0, to: digits.count, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
    }

    subscript(name: String) -> [UInt8] {
        get { sections.flatMap(\.fields).first { $0.name == name }!.bytes }
        set {
            for s in sections.indices {
                for f in sections[s].fields.indices where sections[s].fields[f].name == name {
                    sections[s].fields[f].bytes = newValue
                    return
                }
            }
            preconditionFailure("no field \(name)")
        }
    }

    var file: [UInt8] {
        sections.reduce(into: header) { file, section in
            let content = section.fields.flatMap(\.bytes)
            file += Self.section(section.tag, content)
        }
    }

    /// Stored; at most 16,383 bytes.
    static func section(_ tag: UInt8, _ content: [UInt8]) -> [UInt8] {
        let length: [UInt8] =
            content.count < 128
            ? [UInt8(content.count)]
            : [UInt8(content.count & 127) | 128, UInt8(content.count >> 7)]
        return [tag, 0] + length + content
    }
}
