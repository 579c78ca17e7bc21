import CPosix

/// Small files, read and written whole.
package enum Files {
    /// The file's bytes; nil when it is not there, cannot be read, or is longer than `bytesMax`.
    package static func read(_ path: String, bytesMax: Int) -> [UInt8]? {
        let descriptor = shelfcast_open(path)
        guard descriptor >= 0 else { return nil }
        defer { _ = shelfcast_close(descriptor) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = shelfcast_read(descriptor, &buffer, buffer.count)
            guard count >= 0 else { return nil }
            if count == 0 { return bytes }
            bytes += buffer.prefix(Int(count))
            guard bytes.count <= bytesMax else { return nil }
        }
    }

    /// Gives each line of the file, without its end, until it is told to stop. What cannot be read has none; of a line
    /// longer than `lineBytesMax` only the beginning is given, and lines beyond `bytesMax` are not looked at.
    package static func lines(_ path: String, until isEnough: (ArraySlice<UInt8>) -> Bool) {
        let descriptor = shelfcast_open(path)
        guard descriptor >= 0 else { return }
        defer { _ = shelfcast_close(descriptor) }
        var buffer = [UInt8](repeating: 0, count: 4096)
        var (line, read): ([UInt8], Int) = ([], 0)
        while read < bytesMax {
            let count = Int(shelfcast_read(descriptor, &buffer, buffer.count))
            guard count > 0 else { break }
            read += count
            for byte in buffer.prefix(count) {
                if byte == UInt8(ascii: "\n") {
                    if isEnough(line[...]) { return }
                    line.removeAll(keepingCapacity: true)
                } else if line.count < lineBytesMax {
                    line.append(byte)
                }
            }
        }
        _ = isEnough(line[...])
    }

    static let lineBytesMax = 1024
    /// Some lists of hosts are long.
    static let bytesMax = 8 << 20

    /// Replaces the file so that a power cut leaves the old or the new one, whole. Mode 0600.
    /// - Returns: what went wrong, or nil.
    package static func replace(_ path: String, by bytes: [UInt8]) -> String? {
        let result = bytes.withUnsafeBufferPointer {
            shelfcast_replace_file(path, $0.baseAddress, $0.count, 0o600)
        }
        return result == 0 ? nil : "cannot write \(path): \(errorText(result))"
    }

    /// Names in a folder, at most 64 KiB of them; none when it cannot be read.
    package static func names(in path: String) -> [String] {
        var buffer = [UInt8](repeating: 0, count: 65_536)
        let count = shelfcast_list_directory(path, &buffer, buffer.count)
        guard count > 0 else { return [] }
        return buffer.prefix(Int(count)).split(separator: 0).map {
            String(decoding: $0, as: UTF8.self)
        }
    }
}
