import AgentCore
import CPosix
package import JSONText

/// A command's end of the running agent's socket.
package final class LocalConnection {
    /// A chain's largest store: 4,096 items of two days.
    static let replyBytesMax = 4 << 20

    private let descriptor: Int32
    private var pending: [UInt8] = []

    init(descriptor: Int32) {
        self.descriptor = descriptor
    }

    deinit { _ = shelfcast_close(descriptor) }

    /// Asks one thing and waits for its answer.
    package func ask(_ request: JSONValue) throws(AgentError) -> JSONValue {
        try send(request)
        return try next()
    }

    private func send(_ request: JSONValue) throws(AgentError) {
        let line = request.line + [UInt8(ascii: "\n")]
        var sent = 0
        while sent < line.count {
            let count = line.withUnsafeBufferPointer {
                shelfcast_write(descriptor, $0.baseAddress! + sent, $0.count - sent)  // not empty
            }
            guard count > 0 else { throw .failed("the running agent went away") }
            sent += Int(count)
        }
    }

    /// Waits for the next line.
    package func next() throws(AgentError) -> JSONValue {
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            if let end = pending.firstIndex(of: UInt8(ascii: "\n")) {
                let reply = [UInt8](pending[..<end])
                pending.removeFirst(end + 1)
                do throws(JSONError) {
                    return try JSONValue(
                        parsing: reply, bytesMax: Self.replyBytesMax, valuesMax: 1 << 18)
                } catch { throw .failed("the running agent answered what is " + error.text) }
            }
            let count = shelfcast_read(descriptor, &buffer, buffer.count)
            guard count > 0 else { throw .failed("the running agent went away") }
            pending += buffer.prefix(Int(count))
            guard pending.count <= Self.replyBytesMax else {
                throw .failed("the running agent's answer is too long")
            }
        }
    }
}
