// SPEC 3: a frame is 4 bytes of payload length (big-endian), 1 byte of kind, and the payload.

/// Bytes in front of a frame's payload.
package let frameHeaderBytes = 5

/// The frame of `message`, ready to send.
package func encodeFrame(_ message: Message) -> [UInt8] {
    var frame: [UInt8] = []
    appendFrame(message, to: &frame)
    return frame
}

/// Appends the frame of `message` to what is waiting to be sent. Allocates only where `output` must grow.
package func appendFrame(_ message: Message, to output: inout [UInt8]) {
    let start = output.count
    for _ in 0..<4 { output.append(0) }
    output.append(message.kind.rawValue)
    var writer = WireWriter(appendingTo: [])
    swap(&writer.bytes, &output)
    message.encodePayload(to: &writer)
    swap(&writer.bytes, &output)
    let payloadBytes = output.count - start - frameHeaderBytes
    // Lists are cut to their ceilings by whoever fills them; the peer would refuse this frame.
    precondition(payloadBytes <= message.kind.payloadBytesMax, "a frame above its own ceiling")
    for i in 0..<4 {
        output[start + i] = UInt8(truncatingIfNeeded: payloadBytes >> (24 - 8 * i))
    }
}

/// Why a peer's bytes were refused. Every case ends the connection.
package enum FrameError: Error, Equatable, Sendable {
    /// Announced above the ceiling; refused before any of it was buffered.
    case payloadTooLarge(kind: UInt8, announcedBytes: Int, bytesMax: Int)
    case kindUnknown(UInt8)
    /// A kind that only the other side sends.
    case kindFromWrongSide(MessageKind)
    case payloadMalformed(MessageKind, WireError)
    /// The stream ended inside a frame: the sender died or was cut off.
    case truncated(strayBytes: Int)
}

/// Cuts a peer's byte stream into messages, however the network cut it into pieces.
///
/// Push what has arrived, then call `next` until it returns nil. Used so, it holds at most one
/// incomplete frame: `payloadBytesMax` (or the kind's own ceiling, if lower), the header, and one push.
package struct FrameDecoder: Sendable {
    private let sender: Peer
    /// No payload above this is taken, whatever its kind allows. A hub keeps it low until it knows the device.
    package var payloadBytesMax: Int
    private var buffer: [UInt8] = []
    /// Where in `buffer` the next frame starts.
    private var position = 0
    private var failure: FrameError?

    /// - Parameter sender: whose bytes these are; a kind it may not send is refused.
    package init(from sender: Peer, payloadBytesMax: Int = 262_144) {
        self.sender = sender
        self.payloadBytesMax = payloadBytesMax
    }

    /// Bytes held that are not yet a message.
    package var bufferedBytes: Int { buffer.count - position }

    /// Adds what has arrived. After a failure everything is ignored.
    package mutating func push(_ bytes: some Sequence<UInt8>) {
        guard failure == nil else { return }
        if position > 0 {
            // Only what `next` could not use yet moves, at most once a push.
            buffer.removeFirst(position)
            position = 0
        }
        buffer.append(contentsOf: bytes)
    }

    /// The next whole message, or nil while more must arrive.
    /// - Throws: once; and the same again at every later call.
    package mutating func next() throws(FrameError) -> Message? {
        if let failure { throw failure }
        do throws(FrameError) {
            return try take()
        } catch {
            failure = error
            buffer = []
            position = 0
            throw error
        }
    }

    /// To be called when the peer has closed.
    /// - Throws: `truncated` when it closed inside a frame.
    package func finish() throws(FrameError) {
        guard failure == nil, bufferedBytes > 0 else { return }
        throw .truncated(strayBytes: bufferedBytes)
    }

    private mutating func take() throws(FrameError) -> Message? {
        guard bufferedBytes >= frameHeaderBytes else { return nil }
        var length: UInt32 = 0
        for i in 0..<4 { length = length << 8 | UInt32(buffer[position + i]) }
        // Where Int has 32 bits, the longest are refused as what it can hold.
        let announced = Int(clamping: length)
        let kindByte = buffer[position + 4]
        guard let kind = MessageKind(rawValue: kindByte) else { throw .kindUnknown(kindByte) }
        guard kind.isSent(by: sender) else { throw .kindFromWrongSide(kind) }
        let ceiling = min(payloadBytesMax, kind.payloadBytesMax)
        guard announced <= ceiling else {
            throw .payloadTooLarge(kind: kindByte, announcedBytes: announced, bytesMax: ceiling)
        }
        guard bufferedBytes >= frameHeaderBytes + announced else { return nil }
        let start = position + frameHeaderBytes
        var reader = WireReader(buffer, from: start, to: start + announced)
        let message: Message
        do throws(WireError) {
            message = try Message(kind: kind, from: &reader)
            try message.validate()
        } catch {
            throw .payloadMalformed(kind, error)
        }
        position = start + announced
        if position == buffer.count {
            // A connection that stays is idle most of the day: nothing is held then.
            buffer = []
            position = 0
        }
        return message
    }
}
