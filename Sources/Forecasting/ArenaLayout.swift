import Kernels

/// Where everything lies that a device keeps in memory to forecast: the tensors, the profiles, the series' starts, the
/// state and the window. Hub and device compute it by this one rule (`INTEGER.md`, "The arena"), and a package states
/// the total.
///
/// Regions stand in the order in which a package's sections are read, so that a reader fills the arena from its start
/// while it still learns the later counts: none of them moves an earlier region.
package struct ArenaLayout: Equatable, Sendable {
    /// One region: `count` elements of one type from `offset`, which is a multiple of the element's size.
    package struct Region: Equatable, Sendable {
        package var offset: Int
        package var count: Int
    }

    /// How many of what the arena holds.
    package struct Counts: Equatable, Sendable {
        package var shape: NetworkShape
        package var window: Int
        /// 0 where there is no season.
        package var profiles: Int
        package var starts: Int
        /// Of all the starts' item identifiers together.
        package var identifierBytes: Int
        /// Whether starts have a scale of their own: the z-score's.
        package var startsHaveScales: Bool
        /// 31, or 0 without such factors.
        package var dayOfMonthFactors: Int
        package var specialDays: Int
        /// Whether the network sees the starts' persistence.
        package var startsHavePersistences: Bool
        /// The kernels run where they lie in the package's file and take nothing of the arena.
        package var kernelsInPlace: Bool
        /// How the kernels' weights lie.
        package var inputForm = KernelForm.tiles
        package var recurrentForm = KernelForm.tiles

        package init(
            shape: NetworkShape, window: Int, profiles: Int = 0, starts: Int = 0,
            identifierBytes: Int = 0, startsHaveScales: Bool = false, dayOfMonthFactors: Int = 0,
            specialDays: Int = 0, startsHavePersistences: Bool = false,
            kernelsInPlace: Bool = false
        ) {
            self.shape = shape
            self.window = window
            self.profiles = profiles
            self.starts = starts
            self.identifierBytes = identifierBytes
            self.startsHaveScales = startsHaveScales
            self.dayOfMonthFactors = dayOfMonthFactors
            self.specialDays = specialDays
            self.startsHavePersistences = startsHavePersistences
            self.kernelsInPlace = kernelsInPlace
        }
    }

    package let counts: Counts
    /// What the base of an arena is a multiple of, in bytes.
    package static let alignment = 64
    /// No package takes more: a hostile one may not ask for more either.
    package static let bytesMax = 1 << 20

    // The network.
    /// `[paddedKernelRows, I]` int8 in `inputForm`
    package let inputKernel: Region
    /// `[paddedKernelRows, H]` int8 in `recurrentForm`
    package let recurrentKernel: Region
    /// `[I]` float
    package let inputSteps: Region
    /// `[paddedBiasCount]` int32
    package let bias: Region
    /// `[paddedKernelRows]` uint16
    package let inputMultipliers: Region
    /// `[paddedKernelRows]` uint16
    package let recurrentMultipliers: Region
    /// `[H, padded to 8]` int8
    package let denseKernel: Region
    /// Where the network ends, in bytes from the base.
    package let networkEnd: Int

    // What demand is divided by.
    /// `[profiles, 19]` uint16: seven weekdays, then twelve months, in steps of 1/8192
    package let profileFactors: Region
    package let profilesEnd: Int
    /// `[31 or 0]` uint16, in the same steps
    package let dayOfMonthFactors: Region
    /// `[specialDays]` uint16, in the same steps
    package let specialFactors: Region
    /// `[specialDays]` uint16: codes of `AnnualRule`
    package let specialRules: Region
    package let calendarEnd: Int

    // The series.
    /// `[starts]` float
    package let startLevels: Region
    /// `[starts or 0]` float
    package let startScales: Region
    /// `[starts, or 0 with fewer than two profiles]` uint16
    package let startProfiles: Region
    /// `[starts or 0]` int8, in steps of 1/64
    package let startPersistences: Region
    /// Each start's item: a byte that says how long it is, and its bytes.
    package let identifiers: Region
    package let startsEnd: Int

    // What changes.
    /// `[1]` int32: the day that the window's calendar columns and the seasons were written for; the least for none
    package let target: Region
    /// `[window + 1, or 0 without a season]` float: the calendar's factor of the window's days and of the target
    package let seasons: Region
    /// `[paddedSumCount]` int16
    package let sums: Region
    /// `[H, padded to 8]` int16
    package let cell: Region
    /// `[window + 1, or 0 without a season]` uint8: their weekdays and months, weekday + 8 · month, January being 0
    package let weekdaysAndMonths: Region
    /// `[window, I padded to 4]` int8
    package let window: Region
    /// `[H, padded to 8]` int8
    package let hidden: Region

    /// What forecasting takes. Reading the package may take more: then the arena is as large as that.
    package let bytes: Int

    /// Each region begins at the next multiple of its elements' size.
    package init(_ counts: Counts) {
        self.counts = counts
        let shape = counts.shape
        let (I, rows) = (shape.inputWidth, shape.paddedKernelRows)
        let units = WeightTiles.padded(rows: shape.units)
        var end = 0
        func region(_ count: Int, elementBytes: Int) -> Region {
            if count > 0 { end = (end + elementBytes - 1) / elementBytes * elementBytes }
            let region = Region(offset: end, count: count)
            end += count * elementBytes
            return region
        }
        inputKernel = region(
            counts.kernelsInPlace ? 0 : counts.inputForm.bytes(rows: rows, columns: I),
            elementBytes: 1)
        recurrentKernel = region(
            counts.kernelsInPlace
                ? 0 : counts.recurrentForm.bytes(rows: rows, columns: shape.units),
            elementBytes: 1)
        inputSteps = region(I, elementBytes: 4)
        bias = region(shape.paddedBiasCount, elementBytes: 4)
        inputMultipliers = region(rows, elementBytes: 2)
        recurrentMultipliers = region(rows, elementBytes: 2)
        denseKernel = region(units, elementBytes: 1)
        networkEnd = end

        profileFactors = region(counts.profiles * SeasonalProfile.factors, elementBytes: 2)
        profilesEnd = end
        dayOfMonthFactors = region(counts.dayOfMonthFactors, elementBytes: 2)
        specialFactors = region(counts.specialDays, elementBytes: 2)
        specialRules = region(counts.specialDays, elementBytes: 2)
        calendarEnd = end

        startLevels = region(counts.starts, elementBytes: 4)
        startScales = region(counts.startsHaveScales ? counts.starts : 0, elementBytes: 4)
        startProfiles = region(counts.profiles > 1 ? counts.starts : 0, elementBytes: 2)
        startPersistences = region(
            counts.startsHavePersistences ? counts.starts : 0, elementBytes: 1)
        identifiers = region(counts.starts + counts.identifierBytes, elementBytes: 1)
        startsEnd = end

        let days = counts.profiles > 0 ? counts.window + 1 : 0
        target = region(1, elementBytes: 4)
        seasons = region(days, elementBytes: 4)
        sums = region(shape.paddedSumCount, elementBytes: 2)
        cell = region(units, elementBytes: 2)
        weekdaysAndMonths = region(days, elementBytes: 1)
        window = region(counts.window * WeightTiles.padded(columns: I), elementBytes: 1)
        hidden = region(units, elementBytes: 1)
        bytes = end
    }
}

/// Kernels take eight rows at a time: the joined blocks together, and each block after them, are filled up to a multiple
/// of it with rows of zeros.
extension NetworkShape {
    package var paddedKernelRows: Int { padded(blocks: cell.kernelBlocks) }
    package var paddedBiasCount: Int { padded(blocks: cell.biasBlocks) }

    /// Where a row of a kernel, or a bias, lies among the padded ones.
    /// - Parameter index: 0..<`kernelRows` or 0..<`biasCount`.
    package func padded(index: Int) -> Int {
        let joined = cell.joinedBlocks * units
        guard index >= joined else { return index }
        let (block, unit) = (index - joined).quotientAndRemainder(dividingBy: units)
        return WeightTiles.padded(rows: joined) + block * WeightTiles.padded(rows: units) + unit
    }

    /// Sums are not padded between their blocks of H, but what takes eight at a time reaches beyond the last.
    package var paddedSumCount: Int {
        let last = (cell.sumBlocks - 1) * units + WeightTiles.padded(rows: units)
        return WeightTiles.padded(rows: last)
    }

    private func padded(blocks: Int) -> Int {
        WeightTiles.padded(rows: cell.joinedBlocks * units)
            + (blocks - cell.joinedBlocks) * WeightTiles.padded(rows: units)
    }
}
