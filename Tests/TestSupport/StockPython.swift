package import Foundation
package import Testing

/// The Python with the stock protobuf implementation, which runs the scripts of `Tests/Stock`.
package enum StockPython {
    package static let root = URL(filePath: #filePath).deletingLastPathComponent()
        .appending(path: "../..").standardized

    package static let path: String? = {
        let named = ProcessInfo.processInfo.environment["SHELFCAST_PYTHON"]
        let path = named ?? root.appending(path: ".venv/bin/python3").path
        // Named by hand, it has to be there: a test that skips by a slip of the pen is no test.
        return named != nil || FileManager.default.isExecutableFile(atPath: path) ? path : nil
    }()

    package static let missing: Comment =
        "no .venv with the stock protobuf implementation: make test makes it, or name a Python in SHELFCAST_PYTHON"

    /// Starts a script of `Tests/Stock`.
    package static func start(
        _ script: String, _ arguments: [String], input: ChildProcess.Input = .nothing
    ) throws -> ChildProcess {
        try ChildProcess(
            try #require(path),
            ["-B", root.appending(path: "Tests/Stock/\(script)").path] + arguments, input: input)
    }
}
