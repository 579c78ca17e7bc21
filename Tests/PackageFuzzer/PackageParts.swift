import CZlib
import ModelPackage

/// A package file taken apart as far as FORMAT.md lets anybody: header, sections, and what sections unpack to.
struct PackageParts {
    struct Section {
        var tag: UInt8
        var packing: UInt8
        var unpackedBytes: Int
        /// As it stands in the file.
        var content: [UInt8]
        /// What it says; the same where nothing is packed.
        var unpacked: [UInt8]
    }

    static let headBytes = 5
    /// Magic and version.
    var head: [UInt8]
    var arenaBytes: Int
    var sections: [Section] = []

    /// - Precondition: a sound package.
    init(_ file: [UInt8]) {
        head = [UInt8](file[..<Self.headBytes])
        var position = Self.headBytes
        func length() -> Int {
            var (value, shift) = (0, 0)
            while true {
                let byte = file[position]
                position += 1
                value |= Int(byte & 0x7F) << shift
                if byte < 128 { return value }
                shift += 7
            }
        }
        arenaBytes = length()
        while position < file.count {
            let (tag, packing) = (file[position], file[position + 1])
            position += 2
            let unpackedBytes = length()
            let packedBytes = packing == 0 ? unpackedBytes : length()
            let content = [UInt8](file[position..<position + packedBytes])
            position += packedBytes
            sections.append(
                Section(
                    tag: tag, packing: packing, unpackedBytes: unpackedBytes, content: content,
                    unpacked: packing == 0
                        ? content
                        : Zlib.inflated(
                            content, bytes: unpackedBytes, hasDictionary: packing == 2)!))
        }
    }

    /// In an allocation without a byte to spare, so that a read beyond its end is seen.
    var file: [UInt8] {
        var bytes = head
        Self.append(arenaBytes, to: &bytes)
        for section in sections {
            bytes.append(section.tag)
            bytes.append(section.packing)
            Self.append(section.unpackedBytes, to: &bytes)
            if section.packing != 0 { Self.append(section.content.count, to: &bytes) }
            bytes += section.content
        }
        return Self.exactly(bytes)
    }

    static func exactly(_ bytes: [UInt8]) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: bytes.count) { buffer, count in
            for i in bytes.indices { buffer[i] = bytes[i] }
            count = bytes.count
        }
    }

    private static func append(_ length: Int, to bytes: inout [UInt8]) {
        var rest = UInt(bitPattern: length)
        while rest >= 128 {
            bytes.append(UInt8(rest & 127) | 128)
            rest >>= 7
        }
        bytes.append(UInt8(rest))
    }
}
