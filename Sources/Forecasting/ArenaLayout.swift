import Kernels

/// Where everything lies that a device keeps in memory to forecast: the tensors, the window, the state, the
/// profiles and the series' starts. Hub and device compute it by this one rule (`INTEGER.md`, "The arena"), and a
/// package states the total.
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
        package var profiles: Int
        package var starts: Int
        /// Of all the starts' item identifiers together.
        package var identifierBytes: Int
        /// 31, or 0 without such factors.
        package var dayOfMonthFactors: Int
        package var specialDays: Int
        /// As many as `starts`, or 0 where the network does not see them.
        package var persistences: Int
        /// The kernels run where they lie in the package's file and take nothing of the arena.
        package var kernelsInPlace: Bool
        /// How the kernels' weights lie.
        package var inputForm = KernelForm.tiles
        package var recurrentForm = KernelForm.tiles

        package init(
            shape: NetworkShape, window: Int, profiles: Int, starts: Int, identifierBytes: Int,
            dayOfMonthFactors: Int = 0, specialDays: Int = 0, persistences: Int = 0,
            kernelsInPlace: Bool = false
        ) {
            self.shape = shape
            self.window = window
            self.profiles = profiles
            self.starts = starts
            self.identifierBytes = identifierBytes
            self.dayOfMonthFactors = dayOfMonthFactors
            self.specialDays = specialDays
            self.persistences = persistences
            self.kernelsInPlace = kernelsInPlace
        }
    }

    package let counts: Counts
    /// What the base of an arena is a multiple of, in bytes.
    package static let alignment = 64

    // Tiles of 32 bytes: `WeightTiles`, or pairs of them.
    /// `[paddedKernelRows, I]` in `inputForm`
    package let inputKernel: Region
    /// `[paddedKernelRows, H]` in `recurrentForm`
    package let recurrentKernel: Region
    // Elements of four bytes.
    /// `[I]` float
    package let inputSteps: Region
    /// `[I]` float: one day of the window before it is quantised
    package let row: Region
    /// `[paddedBiasCount]` int32
    package let bias: Region
    /// `[profiles, 19]` float: seven weekdays, then twelve months
    package let profileFactors: Region
    /// `[31 or 0]` float
    package let dayOfMonthFactors: Region
    /// `[specialDays]` float
    package let specialFactors: Region
    /// `[starts]` float
    package let startLevels: Region
    /// `[starts]` float
    package let startScales: Region
    /// `[starts]` uint32: where a start's identifier ends among the identifier bytes
    package let identifierEnds: Region
    // Of two bytes.
    /// `[paddedKernelRows]` uint16
    package let inputMultipliers: Region
    /// `[paddedKernelRows]` uint16
    package let recurrentMultipliers: Region
    /// `[paddedSumCount]` int16
    package let sums: Region
    /// `[H, padded to 8]` int16
    package let cell: Region
    /// `[starts]` uint16
    package let startProfiles: Region
    /// `[specialDays]` uint16: codes of `AnnualRule`
    package let specialRules: Region
    // Of one byte.
    /// `[window, I padded to 4]` int8
    package let window: Region
    /// `[H, padded to 8]` int8
    package let denseKernel: Region
    /// `[H, padded to 8]` int8
    package let hidden: Region
    package let identifiers: Region
    /// `[starts or 0]` int8, in steps of 1/64
    package let startPersistences: Region

    /// The arena's exact size.
    package let bytes: Int

    /// Wide elements come first, so that no region needs padding.
    package init(_ counts: Counts) {
        self.counts = counts
        let shape = counts.shape
        let (I, rows) = (shape.inputWidth, shape.paddedKernelRows)
        let units = WeightTiles.padded(rows: shape.units)
        var end = 0
        func region(_ count: Int, elementBytes: Int) -> Region {
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
        row = region(I, elementBytes: 4)
        bias = region(shape.paddedBiasCount, elementBytes: 4)
        profileFactors = region(
            counts.profiles * (SeasonalProfile.weekdays + SeasonalProfile.months), elementBytes: 4)
        dayOfMonthFactors = region(counts.dayOfMonthFactors, elementBytes: 4)
        specialFactors = region(counts.specialDays, elementBytes: 4)
        startLevels = region(counts.starts, elementBytes: 4)
        startScales = region(counts.starts, elementBytes: 4)
        identifierEnds = region(counts.starts, elementBytes: 4)

        inputMultipliers = region(rows, elementBytes: 2)
        recurrentMultipliers = region(rows, elementBytes: 2)
        sums = region(shape.paddedSumCount, elementBytes: 2)
        cell = region(units, elementBytes: 2)
        startProfiles = region(counts.starts, elementBytes: 2)
        specialRules = region(counts.specialDays, elementBytes: 2)

        window = region(counts.window * WeightTiles.padded(columns: I), elementBytes: 1)
        denseKernel = region(units, elementBytes: 1)
        hidden = region(units, elementBytes: 1)
        identifiers = region(counts.identifierBytes, elementBytes: 1)
        startPersistences = region(counts.persistences, elementBytes: 1)
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
