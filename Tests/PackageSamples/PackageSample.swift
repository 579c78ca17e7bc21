import Forecasting
import ModelPackage

/// Package files of every kind, for what must hold of all of them.
package struct PackageSample: Sendable {
    /// What it has in it, without spaces.
    package var name: String
    package var file: [UInt8]

    private init(
        _ name: String, _ coding: TensorCoding = .smallest,
        _ package: () throws -> ModelPackage
    ) rethrows {
        self.name = "\(name),\(coding.name)"
        var package = try package()
        file = package.encodeStatingArena(coding: coding)
    }

    /// Each form with each cell in each coding, and each coding with kernels in nibbles and in factors: a few hundred bytes each.
    package static func small() throws -> [PackageSample] {
        var samples: [PackageSample] = []
        let forms: [(ModelForm, DemandCalendar)] = [
            (.plain, .flat), (.calendar, .flat), (.profile, .flat), (.profile, busyCalendar),
        ]
        for coding in TensorCoding.allCases {
            for (form, calendar) in forms {
                for cell in CellKind.allCases {
                    samples.append(
                        try PackageSample(
                            "\(form.name)\(calendar.isFlat ? "" : "+days"),\(cell.name)3", coding
                        ) {
                            try PackageFixtures.package(
                                form, cell: cell, units: 3, profiles: form == .profile ? 2 : 1,
                                calendar: calendar, coding: coding)
                        })
                }
            }
            samples.append(
                try PackageSample("calendar,lstm8,nibbles", coding) {
                    try PackageFixtures.package(
                        .calendar, units: 8, items: 2, weightMax: 7, coding: coding)
                })
            for planned in [FeatureInputs.planned, .holiday, .promotion] {
                samples.append(
                    try PackageSample("profile,lstm2,planned\(planned.rawValue)", coding) {
                        try PackageFixtures.package(
                            .profile, units: 2, items: 2, planned: planned, coding: coding)
                    })
            }
            samples.append(
                try PackageSample("calendar,gru4,factors", coding) {
                    try PackageFixtures.package(
                        .calendar, cell: .gru, units: 4, items: 0, rank: 2, coding: coding)
                })
        }
        return samples
    }

    /// The least and the most that packages have of items and of units.
    package static func large() throws -> [PackageSample] {
        var samples: [PackageSample] = []
        for coding in [TensorCoding.smallest, .plain, .huffman, .tiles] {
            for items in [0, 10, 300] {
                samples.append(
                    try PackageSample("plain,lstm64,\(items)items", coding) {
                        try PackageFixtures.package(.plain, units: 64, items: items, coding: coding)
                    })
            }
            samples.append(
                try PackageSample("plain,lstm64,nibbles", coding) {
                    try PackageFixtures.package(.plain, units: 64, weightMax: 7, coding: coding)
                })
            samples.append(
                try PackageSample("calendar,gru128,factors", coding) {
                    try PackageFixtures.package(
                        .calendar, cell: .gru, units: 128, rank: 3, coding: coding)
                })
        }
        for items in [0, 1, 10, 300] {
            samples.append(
                try PackageSample("profile,lstm2,\(items)items") {
                    try PackageFixtures.package(.profile, units: 2, items: items)
                })
            samples.append(
                try PackageSample("profile+days,fastgrnn2,\(items)items,300profiles") {
                    try PackageFixtures.package(
                        .profile, cell: .fastGRNN, units: 2, items: items, profiles: 300,
                        calendar: busyCalendar, finely: true)
                })
        }
        return samples
    }

    private static let busyCalendar = DemandCalendar(
        dayOfMonth: (1...31).map { 1 + Float($0) / 32 },
        specialDays: (0..<3).map { index in
            // Codes in ascending order; the middle one is a closed day.
            SpecialDay(
                rule: AnnualRule(code: UInt16(100 * (index + 1)))!, factor: index == 1 ? 0 : 1.5)
        })
}
