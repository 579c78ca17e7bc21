import Foundation

/// Files in one folder, each written whole or not at all.
struct Folder {
    private let path: String

    init(_ path: String) { self.path = path }

    /// nil when there is none.
    func read(_ name: String) throws -> [UInt8]? { try Self.read(path + "/" + name) }

    static func read(_ path: String) throws -> [UInt8]? {
        guard FileManager.default.fileExists(atPath: path) else { return nil }
        return [UInt8](try Data(contentsOf: URL(filePath: path)))
    }

    func write(_ name: String, _ bytes: [UInt8]) throws {
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        // Renamed into place: who reads meanwhile finds the old file or the new one.
        try Data(bytes).write(to: URL(filePath: path + "/" + name), options: .atomic)
    }
}
