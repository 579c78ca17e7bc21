/// The ceilings of SPEC 4. A value above one is refused before it is taken.
package enum Limit {
    package static let versionMin: UInt32 = 1
    package static let versionMax: UInt32 = 1

    package static let textBytes = 1_024
    package static let identifierBytes = 32
    package static let nameBytes = 64
    package static let labelBytes = 128
    package static let hostBytes = 253
    package static let digestBytes = 32
    package static let secretBytes = 16
    package static let hardwareBytes = 32
    package static let requestBytes = 2_048
    package static let certificateBytes = 4_096
    package static let chunkContentBytes = 49_152
    /// One file of update metadata.
    package static let metadataBytes = 49_152
    /// The root metadata that joining gives.
    package static let rootBytes = 32_768
    /// A target's path.
    package static let targetBytes = 256
    /// Metadata ahead of one DesiredState: files, and bytes in all.
    package static let metadataFilesCount = 32
    package static let metadataFilesBytes = 262_144

    package static let featuresCount = 64
    package static let labelsCount = 64
    package static let recordsCount = 500
    package static let daysCount = 400
    package static let itemsCount = 4_096
    /// Entries of a store's calendar, and items that they are about.
    package static let calendarCount = 2_048

    /// 2199-12-31.
    package static let dayMax: Int32 = 84_005
    package static let saleUnits: UInt32 = 1_000_000
    package static let trialDays: UInt32 = 28
    package static let minutesOfDay: UInt32 = 1_440
    package static let packageBytes: UInt64 = 64 << 20
}
