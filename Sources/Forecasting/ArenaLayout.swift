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

        package init(
            shape: NetworkShape, window: Int, profiles: Int, starts: Int, identifierBytes: Int,
            dayOfMonthFactors: Int = 0, specialDays: Int = 0, persistences: Int = 0
        ) {
            self.shape = shape
            self.window = window
            self.profiles = profiles
            self.starts = starts
            self.identifierBytes = identifierBytes
            self.dayOfMonthFactors = dayOfMonthFactors
            self.specialDays = specialDays
            self.persistences = persistences
        }
    }

    package let counts: Counts
    // Elements of four bytes.
    /// `[window, I]` float
    package let windowValues: Region
    /// `[I]` float
    package let inputSteps: Region
    /// `[biasCount]` int32
    package let bias: Region
    /// `[sumBlocks · H]` int32
    package let sums: Region
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
    /// `[R]` uint16
    package let inputMultipliers: Region
    /// `[R]` uint16
    package let recurrentMultipliers: Region
    /// `[H]` int16
    package let cell: Region
    /// `[starts]` uint16
    package let startProfiles: Region
    /// `[specialDays]` uint16: codes of `AnnualRule`
    package let specialRules: Region
    // Of one byte.
    /// `[R, I]` int8
    package let inputKernel: Region
    /// `[R, H]` int8
    package let recurrentKernel: Region
    /// `[H]` int8
    package let denseKernel: Region
    /// `[I]` int8
    package let input: Region
    /// `[H]` int8
    package let hidden: Region
    package let identifiers: Region
    /// `[starts or 0]` int8, in steps of 1/64
    package let startPersistences: Region

    /// The arena's exact size.
    package let bytes: Int

    /// Wide elements come first, so that no region needs padding.
    package init(_ counts: Counts) {
        self.counts = counts
        let (I, H, rows) = (counts.shape.inputWidth, counts.shape.units, counts.shape.kernelRows)
        var end = 0
        func region(_ count: Int, elementBytes: Int) -> Region {
            let region = Region(offset: end, count: count)
            end += count * elementBytes
            return region
        }
        windowValues = region(counts.window * I, elementBytes: 4)
        inputSteps = region(I, elementBytes: 4)
        bias = region(counts.shape.biasCount, elementBytes: 4)
        sums = region(counts.shape.cell.sumBlocks * H, elementBytes: 4)
        profileFactors = region(
            counts.profiles * (SeasonalProfile.weekdays + SeasonalProfile.months), elementBytes: 4)
        dayOfMonthFactors = region(counts.dayOfMonthFactors, elementBytes: 4)
        specialFactors = region(counts.specialDays, elementBytes: 4)
        startLevels = region(counts.starts, elementBytes: 4)
        startScales = region(counts.starts, elementBytes: 4)
        identifierEnds = region(counts.starts, elementBytes: 4)

        inputMultipliers = region(rows, elementBytes: 2)
        recurrentMultipliers = region(rows, elementBytes: 2)
        cell = region(H, elementBytes: 2)
        startProfiles = region(counts.starts, elementBytes: 2)
        specialRules = region(counts.specialDays, elementBytes: 2)

        inputKernel = region(rows * I, elementBytes: 1)
        recurrentKernel = region(rows * H, elementBytes: 1)
        denseKernel = region(H, elementBytes: 1)
        input = region(I, elementBytes: 1)
        hidden = region(H, elementBytes: 1)
        identifiers = region(counts.identifierBytes, elementBytes: 1)
        startPersistences = region(counts.persistences, elementBytes: 1)
        bytes = end
    }
}
