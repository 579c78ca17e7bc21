import SyncProtocol
import TestSupport
import Testing

@Suite("A stream of frames")
struct FrameTests {
    /// Everything each side says in the golden frames, in one stream.
    static func stream(from peer: Peer) -> (wire: [UInt8], messages: [Message]) {
        let messages = GoldenFrames.meanings.sorted { $0.key < $1.key }.map(\.value)
            .filter { $0.kind.isSent(by: peer) }
        return (messages.flatMap(encodeFrame), messages)
    }

    @Test("means the same wherever the network cuts it", arguments: 1...15)
    func splitDelivery(chunkBytes: Int) throws {
        for peer in [Peer.device, .hub] {
            let (wire, messages) = Self.stream(from: peer)
            #expect(try decode(wire, from: peer, inChunksOf: chunkBytes) == messages)
        }
    }

    @Test("can be appended to what waits already")
    func append() {
        var output = encodeFrame(.ping)
        appendFrame(.uploadAck(UploadAck(throughSequence: 300)), to: &output)
        #expect(output == encodeFrame(.ping) + [0, 0, 0, 3, 13, 0x08, 0xAC, 0x02])
    }

    @Test("that ends inside a frame is cut off, wherever it ends")
    func truncated() throws {
        let whole = encodeFrame(GoldenFrames.meanings["register"]!)
        for count in 1..<whole.count {
            #expect(throws: FrameError.truncated(strayBytes: count)) {
                try decode([UInt8](whole.prefix(count)), from: .device)
            }
        }
        #expect(try decode(whole, from: .device).count == 1)
    }

    @Test(
        "that announces a payload above its kind's ceiling is refused at the header",
        arguments: MessageKind.allCases)
    func ceiling(kind: MessageKind) throws {
        let peer: Peer = kind.isSent(by: .device) ? .device : .hub
        for announced in [kind.payloadBytesMax + 1, 1 << 24, Int(UInt32.max)] {
            var decoder = FrameDecoder(from: peer)
            decoder.push(header(announced, kind.rawValue))
            #expect(
                throws: FrameError.payloadTooLarge(
                    kind: kind.rawValue, announcedBytes: announced, bytesMax: kind.payloadBytesMax)
            ) {
                try decoder.next()
            }
            #expect(decoder.bufferedBytes == 0)
        }
        var decoder = FrameDecoder(from: peer)
        decoder.push(header(kind.payloadBytesMax, kind.rawValue))
        #expect(try decoder.next() == nil)
    }

    @Test("of a stranger has a lower ceiling, which can be raised")
    func strangersCeiling() throws {
        var decoder = FrameDecoder(from: .device, payloadBytesMax: 100)
        decoder.push(header(101, MessageKind.upload.rawValue))
        #expect(
            throws: FrameError.payloadTooLarge(kind: 12, announcedBytes: 101, bytesMax: 100)
        ) {
            try decoder.next()
        }
        var raised = FrameDecoder(from: .device, payloadBytesMax: 100)
        raised.payloadBytesMax = 65_536
        raised.push(encodeFrame(GoldenFrames.meanings["upload-500"]!))
        #expect(try raised.next() != nil)
    }

    @Test(
        "with a kind that does not exist is refused at the header",
        arguments: [0, 23, 24, 127, 128, 255] as [UInt8])
    func unknownKind(kind: UInt8) throws {
        #expect(throws: FrameError.kindUnknown(kind)) {
            try decode(header(0, kind), from: .device)
        }
    }

    @Test(
        "with a kind that only the other side sends is refused at the header",
        arguments: MessageKind.allCases)
    func wrongSide(kind: MessageKind) throws {
        for peer in [Peer.device, .hub] where !kind.isSent(by: peer) {
            #expect(throws: FrameError.kindFromWrongSide(kind)) {
                try decode(header(1, kind.rawValue), from: peer)
            }
        }
    }

    @Test("stays refused: what comes after is not read, and not kept")
    func failureStays() throws {
        var decoder = FrameDecoder(from: .device)
        decoder.push(encodeFrame(.ping) + header(0, 99) + encodeFrame(.goodbye))
        #expect(try decoder.next() == .ping)
        for _ in 0..<2 {
            #expect(throws: FrameError.kindUnknown(99)) { try decoder.next() }
            decoder.push(encodeFrame(.ping))
            #expect(decoder.bufferedBytes == 0)
        }
        try decoder.finish()
    }

    @Test(
        "spoiled at random never crashes, never holds more than its ceiling, and always ends",
        arguments: 1...40 as ClosedRange<UInt64>)
    func mutated(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let golden = GoldenFrames.meanings.sorted { $0.key < $1.key }.map(\.value)
            .filter { $0.kind.payloadBytesMax < 65_536 || encodeFrame($0).count < 400 }
        var refused = 0
        var taken = 0
        for _ in 0..<400 {
            let message = golden.randomElement(using: &random)!
            var wire = encodeFrame(message)
            for _ in 0..<Int.random(in: 1...3, using: &random) { spoil(&wire, using: &random) }
            var decoder = FrameDecoder(from: message.sender)
            var rest = wire[...]
            reading: while !rest.isEmpty {
                let piece = rest.prefix(Int.random(in: 1...64, using: &random))
                rest = rest.dropFirst(piece.count)
                decoder.push(piece)
                do throws(FrameError) {
                    while let message = try decoder.next() {
                        taken += 1
                        // What was taken can be said again, and means the same.
                        #expect(
                            try decode(encodeFrame(message), from: message.sender) == [message],
                            "seed \(seed)")
                    }
                } catch {
                    refused += 1
                    #expect(!error.explanation.isEmpty)
                    break reading
                }
                #expect(decoder.bufferedBytes <= wire.count, "seed \(seed)")
            }
        }
        // Both happen often, or the spoiling is not worth its name.
        #expect(refused > 80 && taken > 40, "seed \(seed): \(refused) refused, \(taken) taken")
    }

    @Test(
        "of pure noise ends at the first header that cannot be",
        arguments: 1...20 as ClosedRange<UInt64>)
    func noise(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let wire = (0..<4_096).map { _ in UInt8.random(in: 0...255, using: &random) }
        #expect(throws: FrameError.self, "seed \(seed)") { try decode(wire, from: .device) }
    }

    private func spoil(_ wire: inout [UInt8], using random: inout SeededGenerator) {
        guard wire.count > frameHeaderBytes else {
            wire.append(UInt8.random(in: 0...255, using: &random))
            return
        }
        // The header is spoiled less often than the rest: behind a false length nothing else is read.
        let first = Int.random(in: 0..<8, using: &random) == 0 ? 0 : frameHeaderBytes
        let at = Int.random(in: first..<wire.count, using: &random)
        switch Int.random(in: 0..<5, using: &random) {
        case 0: wire[at] ^= 1 << UInt8.random(in: 0..<8, using: &random)
        case 1: wire[at] = [0, 0x7F, 0x80, 0xFF].randomElement(using: &random)!
        case 2: wire.remove(at: at)
        case 3: wire.insert(UInt8.random(in: 0...255, using: &random), at: at)
        default:
            let end = min(wire.count, at + Int.random(in: 1...12, using: &random))
            wire.insert(contentsOf: wire[at..<end], at: at)
        }
        // Usually with an honest length, so that the payload's own checks are reached.
        guard Int.random(in: 0..<4, using: &random) > 0 else { return }
        let payloadBytes = wire.count - frameHeaderBytes
        guard payloadBytes >= 0 else { return }
        for i in 0..<4 { wire[i] = UInt8(truncatingIfNeeded: payloadBytes >> (24 - 8 * i)) }
    }

    private func header(_ payloadBytes: Int, _ kind: UInt8) -> [UInt8] {
        (0..<4).map { UInt8(truncatingIfNeeded: payloadBytes >> (24 - 8 * $0)) } + [kind]
    }
}
