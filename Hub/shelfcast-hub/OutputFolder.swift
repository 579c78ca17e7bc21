import Foundation

/// A directory that a command writes files to, made when it is not there.
struct OutputFolder {
    private let path: String

    /// - Throws: `CommandFailure` when it cannot be made.
    init(_ path: String) throws {
        self.path = path
        do {
            try FileManager.default.createDirectory(
                atPath: path, withIntermediateDirectories: true)
        } catch {
            throw CommandFailure(.failed, "cannot make \(path): \(fileProblem(error))")
        }
    }

    /// Each file whole or not at all.
    func write(_ files: [(name: String, text: String)]) throws {
        for file in files {
            let target = URL(fileURLWithPath: path).appendingPathComponent(file.name)
            do {
                try Data(file.text.utf8).write(to: target, options: .atomic)
            } catch {
                throw CommandFailure(.failed, "cannot write \(target.path): \(fileProblem(error))")
            }
        }
    }
}
