/// What a device has timed on itself (message Measurement of sync.proto). Times are nanoseconds of one forecast, 0 when
/// not measured; a batch is 50 series.
package struct DeviceMeasurement: Hashable, Sendable, Codable {
    /// Of one package it ran.
    package struct Package: Hashable, Sendable, Codable {
        /// SHA-256 of the package file, in hexadecimal digits.
        package var digest: String
        /// Features included.
        package var nanoseconds: Int
        package var batchNanoseconds: Int
        /// Used.
        package var arenaBytes: UInt64
        /// Energy of one forecast, of all the device meanwhile; nil where its system does not say.
        package var nanojoules: Int?

        package init(
            digest: String, nanoseconds: Int, batchNanoseconds: Int, arenaBytes: UInt64,
            nanojoules: Int?
        ) {
            self.digest = digest
            self.nanoseconds = nanoseconds
            self.batchNanoseconds = batchNanoseconds
            self.arenaBytes = arenaBytes
            self.nanojoules = nanojoules
        }
    }

    /// So many of the packages that it ran are remembered.
    package static let packagesMax = 16

    /// The instructions its kernels use: "plain", "avx2", "neon".
    package var kernels: String = ""
    /// The reference LSTM-16, 14 days of one input, the network alone.
    package var smallNanoseconds: Int = 0
    package var smallBatchNanoseconds: Int = 0
    /// The reference LSTM-64, likewise.
    package var largeNanoseconds: Int = 0
    package var largeBatchNanoseconds: Int = 0
    /// Of the whole agent, resident.
    package var peakMemoryBytes: UInt64 = 0
    /// The latest first, each once.
    package var packages: [Package] = []

    package init() {}

    /// - Parameter digest: of a package file, 32 bytes.
    package static func text(digest: [UInt8]) -> String {
        String(
            decoding: digest.flatMap { byte in [byte >> 4, byte & 15].map { digits[Int($0)] } },
            as: UTF8.self)
    }

    private static let digits = [UInt8]("0123456789abcdef".utf8)

    /// What it measured of a package; nil when it never ran it, or too long ago.
    package func package(_ digest: [UInt8]) -> Package? {
        let text = Self.text(digest: digest)
        return packages.first { $0.digest == text }
    }

    /// Keeps what was measured before of packages that a device does not run now, as long as it runs them with the same
    /// kernels.
    package mutating func remember(_ earlier: DeviceMeasurement?) {
        guard let earlier, earlier.kernels == kernels else { return }
        for package in earlier.packages where packages.count < Self.packagesMax {
            if !packages.contains(where: { $0.digest == package.digest }) {
                packages.append(package)
            }
        }
    }
}
