import CZlib
import Forecasting
// On Linux the compiler may take `stat` for CoreFoundation's, which this brings in.
import Foundation

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// Why a file of sales cannot be read to its end.
enum SalesFileError: Error, CustomStringConvertible {
    case unreadable(path: String, reason: String)
    case damaged(path: String)
    case truncated(path: String)

    var description: String {
        switch self {
        case .unreadable(let path, let reason): "cannot read \(path): \(reason)"
        case .damaged(let path): "\(path) is no intact gzip file"
        case .truncated(let path): "\(path) ends in the middle of its gzip data"
        }
    }
}

/// A file's bytes chunk by chunk, inflated when it begins as gzip does, whatever its name. `-` is
/// standard input.
///
/// One thread at a time uses it: the import's transaction.
final class SalesFile: @unchecked Sendable {
    private static let chunkBytes = 1 << 18

    /// 0 when it is not known (a pipe).
    let fileBytes: Int
    /// Of the file as it lies on disk.
    private(set) var readBytes = 0

    private let path: String
    private let descriptor: Int32
    private var input: [UInt8]
    private var inputCount = 0
    private var inputPosition = 0
    private var isAtEnd = false
    /// At an address of its own: zlib keeps a pointer back to it.
    private var stream: UnsafeMutablePointer<z_stream>?
    /// Between two gzip members, and at the very start: the end of the file is no accident here.
    private var isBetweenMembers = true

    init(path: String) throws {
        self.path = path
        descriptor = path == "-" ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw SalesFile.unreadable(path) }
        // What has no end to seek to is a pipe.
        fileBytes = max(0, Int(lseek(descriptor, 0, SEEK_END)))
        lseek(descriptor, 0, SEEK_SET)
        input = [UInt8](repeating: 0, count: Self.chunkBytes)
        try fill()
        if inputCount >= 2, input[0] == 0x1F, input[1] == 0x8B {
            let stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
            stream.initialize(to: z_stream())
            // 31: a gzip wrapper around a 32 KiB window.
            let code = inflateInit2_(
                stream, 31, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
            guard code == Z_OK else {
                stream.deallocate()
                throw SalesFileError.damaged(path: path)
            }
            self.stream = stream
        }
    }

    deinit {
        if let stream {
            inflateEnd(stream)
            stream.deallocate()
        }
        if descriptor > STDIN_FILENO { close(descriptor) }
    }

    /// The next bytes of the text; nil at its end.
    func nextChunk() throws -> [UInt8]? {
        if let stream { return try nextInflated(stream) }
        if inputPosition == inputCount { try fill() }
        guard inputPosition < inputCount else { return nil }
        defer { inputPosition = inputCount }
        return Array(input[inputPosition..<inputCount])
    }

    private func nextInflated(_ stream: UnsafeMutablePointer<z_stream>) throws -> [UInt8]? {
        while true {
            if inputPosition == inputCount {
                try fill()
                if isAtEnd {
                    guard isBetweenMembers else { throw SalesFileError.truncated(path: path) }
                    return nil
                }
            }
            var code = Z_OK
            let available = inputCount - inputPosition
            var consumed = 0
            let output = [UInt8](unsafeUninitializedCapacity: Self.chunkBytes) { buffer, count in
                input.withUnsafeMutableBufferPointer { input in
                    stream.pointee.next_in = input.baseAddress! + inputPosition
                    stream.pointee.avail_in = UInt32(available)
                    stream.pointee.next_out = buffer.baseAddress!
                    stream.pointee.avail_out = UInt32(Self.chunkBytes)
                    code = inflate(stream, Z_NO_FLUSH)
                    consumed = available - Int(stream.pointee.avail_in)
                    count = Self.chunkBytes - Int(stream.pointee.avail_out)
                }
            }
            inputPosition += consumed
            isBetweenMembers = code == Z_STREAM_END
            switch code {
            case Z_OK, Z_BUF_ERROR: break
            case Z_STREAM_END:
                // Files put one after the other are one file, as gzip itself has it.
                guard inflateReset(stream) == Z_OK else {
                    throw SalesFileError.damaged(path: path)
                }
            default: throw SalesFileError.damaged(path: path)
            }
            if !output.isEmpty { return output }
        }
    }

    private func fill() throws {
        inputPosition = 0
        inputCount = 0
        while true {
            let count = input.withUnsafeMutableBytes { read(descriptor, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw SalesFile.unreadable(path) }
            inputCount = count
            readBytes += count
            isAtEnd = count == 0
            return
        }
    }

    private static func unreadable(_ path: String) -> SalesFileError {
        .unreadable(path: path, reason: fileProblem(code: errno))
    }
}

extension BusinessDay {
    /// Sales of a later day are a mistake: today, and a week for time zones and for clocks that are late.
    static var latest: BusinessDay {
        BusinessDay(
            daysSince1970: Int32(clamping: Int(Date.now.timeIntervalSince1970) / 86_400 + 7))
    }
}
