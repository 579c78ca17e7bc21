import Glibc

/// The package files of a data directory, each named by the SHA-256 of its content.
package struct PackageFiles: Sendable {
    private let directory: String

    package init(dataDirectory: String) { directory = dataDirectory + "/packages" }

    package static func name(of digest: [UInt8]) -> String {
        hexadecimal(digest) + ".shelfpack"
    }

    /// Up to `bytesMax` bytes from `offset`; fewer at the end, none beyond it. Nil when there is no such
    /// file or the disk does not give it back.
    package func read(digest: [UInt8], offset: UInt64, bytesMax: Int) -> [UInt8]? {
        guard offset <= UInt64(Int64.max) else { return [] }
        let descriptor = open(directory + "/" + Self.name(of: digest), O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var content = [UInt8](repeating: 0, count: bytesMax)
        var filled = 0
        while filled < bytesMax {
            let step = content[filled...].withUnsafeMutableBytes {
                pread(descriptor, $0.baseAddress, $0.count, off_t(offset) + off_t(filled))
            }
            if step < 0, errno == EINTR { continue }
            guard step >= 0 else { return nil }
            if step == 0 { break }
            filled += step
        }
        content.removeLast(bytesMax - filled)
        return content
    }
}

/// Two lower-case digits a byte.
package func hexadecimal(_ bytes: some Sequence<UInt8>) -> String {
    let digits = Array("0123456789abcdef".utf8)
    var text: [UInt8] = []
    for byte in bytes {
        text.append(digits[Int(byte >> 4)])
        text.append(digits[Int(byte & 15)])
    }
    return String(decoding: text, as: UTF8.self)
}
