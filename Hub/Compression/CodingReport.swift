package import ModelPackage

/// What each coding makes of one package: how small it gets, and what a device pays to read it.
package struct CodingReport: Sendable {
    package struct Row: Sendable {
        package var coding: TensorCoding
        /// Of the whole file.
        package var fileBytes: Int
        /// Of the network section and the kernels' own, heads included.
        package var networkBytes: Int
        /// Of reading the whole file on this machine, unpacking and checks included: least of repeats.
        package var decodeNanoseconds: Int
        /// What reading and running take beside the file; see `PackageBytes.arena`.
        package var decodeBytes: Int
    }

    /// In the order of `TensorCoding`: the smallest first.
    package let rows: [Row]

    /// Encodes and decodes the package with every coding: takes some tenths of a second.
    /// - Precondition: the package validates.
    package init(of package: ModelPackage) throws(EngineError) {
        var rows: [Row] = []
        var package = package
        for coding in TensorCoding.allCases {
            let file = package.encodeStatingArena(coding: coding)
            let bytes: PackageBytes
            do { bytes = try PackageBytes(of: file) } catch { throw .invalid(error) }
            rows.append(
                Row(
                    coding: coding, fileBytes: file.count,
                    networkBytes: bytes[.network] + bytes[.kernels],
                    decodeNanoseconds: try PackageTimer.decodeNanoseconds(of: file),
                    decodeBytes: bytes.arena))
        }
        self.rows = rows
    }

    package subscript(coding: TensorCoding) -> Row {
        rows[Int(coding.rawValue)]
    }
}
