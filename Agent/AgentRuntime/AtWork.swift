import CPosix

/// Whose code is at work, in a file that outlives the process: should the agent end there and then, the next start knows whom
/// to ask. Not flushed to the disk: a power cut, which is no package's fault, mostly forgets it.
package enum AtWork: UInt8 {
    case none = 0x2D
    case active = 0x61
    case candidate = 0x63

    static let fileName = "at-work"

    /// On a full disk there is no mark, and a crash is not counted.
    package func mark(in directory: String) {
        _ = shelfcast_mark(directory + "/" + Self.fileName, rawValue)
    }

    /// What was at work when the process before this one ended; nil: nothing.
    static func interrupted(in directory: String) -> AtWork? {
        guard let bytes = Files.read(directory + "/" + fileName, bytesMax: 16),
            let mark = bytes.first.flatMap(AtWork.init), mark != .none
        else { return nil }
        return mark
    }
}
