import Forecasting

/// Where a file's sections lie. Takes no memory of its own: the bytes must outlive it.
struct PackageSections {
    /// One section as it stands in the file.
    struct Entry {
        var packing = Packing.stored
        /// Its content, packed or not.
        var content = UnsafeBufferPointer<UInt8>(start: nil, count: 0)
        var unpackedBytes = 0
        /// In the file, its head included.
        var fileBytes = 0
        var isPresent = false

        /// What must be unpacked before it is read.
        var unpackingBytes: Int { packing == .stored ? 0 : unpackedBytes }
    }

    /// What the package says it takes.
    let arenaBytes: Int
    let fileBytes: Int
    private var entries = InlineArray<7, Entry>(repeating: Entry())

    subscript(section: PackageSection) -> Entry? {
        let entry = entries[Int(section.rawValue) - 1]
        return entry.isPresent ? entry : nil
    }

    init(of file: UnsafeBufferPointer<UInt8>) throws(PackageError) {
        guard file.count <= ModelPackage.fileBytesMax else {
            throw .fileTooLarge(bytes: file.count, bytesMax: ModelPackage.fileBytesMax)
        }
        let magic = ModelPackage.magic
        guard file.count > magic.count else { throw .notAPackage }
        for i in magic.indices where file[i] != magic[i] { throw .notAPackage }
        guard file[magic.count] == ModelPackage.formatVersion else {
            throw .unsupportedVersion(file[magic.count])
        }
        fileBytes = file.count
        var position = magic.count + 1
        var lastTag: UInt8 = 0

        func byte() throws(PackageError) -> UInt8 {
            guard position < file.count else { throw .truncated(nil) }
            defer { position += 1 }
            return file[position]
        }
        /// Lengths are below 2^28: four bytes of seven bits.
        func length() throws(PackageError) -> Int {
            var value = 0
            for shift in stride(from: 0, through: 21, by: 7) {
                let next = try byte()
                value |= Int(next & 0x7F) << shift
                if next & 0x80 == 0 {
                    guard next != 0 || shift == 0 else { throw .field(.number, index: 0) }
                    return value
                }
            }
            throw .field(.number, index: 0)
        }

        arenaBytes = try length()
        // Each turn consumes at least three bytes of a bounded file.
        while position < file.count {
            let begin = position
            let tag = try byte()
            let section = PackageSection(rawValue: tag)
            // Tags from 128 on are for what an older program may skip.
            guard section != nil || tag >= 128 else { throw .unknownSection(tag: tag) }
            if let section, tag <= lastTag { throw .sectionOutOfOrder(section) }
            lastTag = max(lastTag, tag)
            let packingCode = try byte()
            let unpackedBytes = try length()
            let packedBytes = packingCode == Packing.stored.rawValue ? unpackedBytes : try length()
            guard packedBytes <= file.count - position else { throw .truncated(section) }
            let content = UnsafeBufferPointer(rebasing: file[position..<position + packedBytes])
            position += packedBytes
            guard let section else { continue }
            guard unpackedBytes <= section.bytesMax else {
                throw .sectionTooLarge(
                    section, bytes: UInt64(unpackedBytes), bytesMax: section.bytesMax)
            }
            guard let packing = Packing(rawValue: packingCode) else { throw .packing(section) }
            entries[Int(tag) - 1] = Entry(
                packing: packing, content: content, unpackedBytes: unpackedBytes,
                fileBytes: position - begin, isPresent: true)
        }
    }
}
