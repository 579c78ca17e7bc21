import Forecasting

/// What a package file's bytes are spent on.
package struct PackageBytes: Equatable, Sendable {
    /// The whole file.
    package internal(set) var total = 0
    /// What reading the file takes at most beside it: every section unpacked, all at once, the network's tensors, the tables
    /// of the one that takes the largest, and zlib's memory where a section is packed.
    package internal(set) var decoding = 0
    var inflating = 0
    private var bySection = [Int](repeating: 0, count: PackageSection.allCases.count)

    init() {}

    /// - Throws: as `ModelPackage.decode` does for a file whose sections cannot be told apart or do not unpack.
    package init(of file: [UInt8]) throws(PackageError) {
        let sections = try ModelPackage.sections(of: file)
        self = sections.bytes
        let shape = try ModelPackage.decode(file).network.shape
        if let network = sections[.network] {
            decoding += try CodedNetwork(network, inputWidth: shape.inputWidth).workingBytes
        }
        decoding += inflating
        // The tensors an engine takes over: as `ArenaLayout` counts them.
        decoding +=
            4 * (shape.inputWidth + shape.biasCount) + 4 * shape.kernelRows
            + shape.kernelRows * (shape.inputWidth + shape.units) + shape.units
    }

    /// As stored, the section's head included; 0 where the file has none.
    package internal(set) subscript(section: PackageSection) -> Int {
        get { bySection[Int(section.rawValue) - 1] }
        set { bySection[Int(section.rawValue) - 1] = newValue }
    }

    /// What forecasts are made from: the network, the profiles, the calendar and the starts of the items, each as stored with
    /// its section's head. Not in it are the magic, the manifest and the golden vectors, which say what the package is and prove
    /// it, and sections a program may skip.
    package var payload: Int { self[.network] + self[.profiles] + self[.calendar] + self[.starts] }
}
