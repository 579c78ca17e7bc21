import Foundation
import SyncProtocol
import Testing

/// The files that `Tests/Stock/golden.py` writes.
enum Fixtures {
    struct GoldenFrame: Sendable, CustomTestStringConvertible {
        var name: String
        var wire: [UInt8]
        var testDescription: String { name }
    }

    struct MalformedPayload: Sendable {
        var line: Int
        var kind: MessageKind
        var error: String
        var field: Int
        var payload: [UInt8]
    }

    static func goldenFrames() throws -> [GoldenFrame] {
        try lines(of: "frames.txt").map { words in
            GoldenFrame(name: words[0], wire: try bytes(words[1]))
        }
    }

    static func malformedPayloads() throws -> [MalformedPayload] {
        try lines(of: "malformed.txt").enumerated().map { index, words in
            MalformedPayload(
                line: index + 1,
                kind: try #require(UInt8(words[0]).flatMap(MessageKind.init(rawValue:))),
                error: words[1], field: try #require(Int(words[2])),
                payload: try words[3...].flatMap(bytes))
        }
    }

    /// A piece of hex; `41*3` is 41 three times.
    static func bytes(_ piece: String) throws -> [UInt8] {
        let parts = piece.split(separator: "*")
        let digits = [UInt8](parts[0].utf8)
        let once = try stride(from: 0, to: digits.count, by: 2).map { i in
            try #require(UInt8(String(decoding: digits[i..<i + 2], as: UTF8.self), radix: 16))
        }
        let times = parts.count == 2 ? try #require(Int(parts[1])) : 1
        return [UInt8]([[UInt8]](repeating: once, count: times).joined())
    }

    static func hex(_ bytes: [UInt8]) -> String {
        let digits = [UInt8]("0123456789abcdef".utf8)
        return String(
            decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
    }

    private static func lines(of name: String) throws -> [[String]] {
        let url = Bundle.module.bundleURL.appendingPathComponent("Fixtures/\(name)")
        return try String(contentsOf: url, encoding: .utf8).split(separator: "\n").map {
            $0.split(separator: " ").map(String.init)
        }
    }
}

/// Everything a decoder says of `wire`, pushed in pieces of `chunkBytes`.
func decode(
    _ wire: [UInt8], from sender: Peer, inChunksOf chunkBytes: Int = .max
) throws(FrameError) -> [Message] {
    var decoder = FrameDecoder(from: sender)
    var messages: [Message] = []
    var position = 0
    while position < wire.count {
        let end = min(wire.count, position + min(chunkBytes, wire.count))
        decoder.push(wire[position..<end])
        position = end
        while let message = try decoder.next() { messages.append(message) }
    }
    try decoder.finish()
    return messages
}

extension Message {
    /// Somebody who may send it.
    var sender: Peer { kind.isSent(by: .device) ? .device : .hub }
}
