/// What one forecast was made from, told in 32 bits: enough to find out whether somebody else who computes it again has
/// the same package, level and days (SPEC 9.6).
package enum ForecastInputs {
    /// FNV-1a (Fowler, Noll, Vo 1991) over 32 bits. Not a defence against anybody: it tells mistakes apart.
    /// - Parameters:
    ///   - package: SHA-256 of the package file.
    ///   - level: as of the day before the one forecast.
    ///   - recentDays: the package's window, oldest first.
    ///   - targetMarks: of the day that is forecast.
    ///   - planned: the marks that are inputs of the package; others say nothing.
    /// - Returns: never 0, which stands for "not stated".
    package static func digest(
        package: [UInt8], level: Float, recentDays: [DemandDay], targetMarks: DayMarks,
        planned: DayMarks
    ) -> UInt32 {
        var hash: UInt32 = 0x811C_9DC5
        func add(_ byte: UInt8) { hash = (hash ^ UInt32(byte)) &* 0x0100_0193 }
        func add(_ number: UInt32) {
            for shift in [0, 8, 16, 24] as [UInt32] {
                add(UInt8(truncatingIfNeeded: number >> shift))
            }
        }
        for byte in package { add(byte) }
        add(level.bitPattern)
        for day in recentDays { add(code(day)) }
        if !planned.isEmpty {
            // A row of the window describes the day after its own.
            for day in recentDays.dropFirst() { add(day.marks.intersection(planned).rawValue) }
            add(targetMarks.intersection(planned).rawValue)
        }
        return hash == 0 ? 1 : hash
    }

    private static func code(_ day: DemandDay) -> UInt32 {
        guard day.isOpen else { return .max - 1 }
        guard let units = day.units else { return .max }
        return UInt32(bitPattern: units)
    }
}
