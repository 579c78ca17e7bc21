import Forecasting

/// What a package file's bytes are spent on.
package struct PackageBytes: Equatable, Sendable {
    /// The whole file.
    package internal(set) var total = 0
    /// What the file says a device's arena takes: all of reading and running it.
    package internal(set) var arena = 0
    /// What a device needs for it: the arena, and the file where kernels run in it.
    package var memory: Int { arena + (self[.kernels] > 0 ? total : 0) }
    private var bySection = [Int](repeating: 0, count: PackageSection.allCases.count)

    init() {}

    /// - Throws: as `ModelPackage.decode` does for a file whose sections cannot be told apart.
    package init(of file: [UInt8]) throws(PackageError) {
        try file.withBytes { bytes throws(PackageError) in
            let sections = try PackageSections(of: bytes)
            total = bytes.count
            arena = sections.arenaBytes
            for section in PackageSection.allCases {
                self[section] = sections[section]?.fileBytes ?? 0
            }
        }
    }

    /// As stored, the section's head included; 0 where the file has none.
    package internal(set) subscript(section: PackageSection) -> Int {
        get { bySection[Int(section.rawValue) - 1] }
        set { bySection[Int(section.rawValue) - 1] = newValue }
    }

    /// What forecasts are made from: the network, the profiles, the calendar and the starts of the items, each as stored with
    /// its section's head. Not in it are the magic, the manifest and the golden vectors, which say what the package is and prove
    /// it, and sections a program may skip.
    package var payload: Int {
        self[.network] + self[.kernels] + self[.profiles] + self[.calendar] + self[.starts]
    }
}
