import AgentCore
import AgentRuntime
import CPosix
import JSONText

/// Standard output and error, written whole.
enum Output {
    static func write(_ text: String) { write([UInt8](text.utf8), to: 1) }
    static func line(_ text: String) { write(text + "\n") }
    static func warn(_ text: String) { write([UInt8]((text + "\n").utf8), to: 2) }

    private static func write(_ bytes: [UInt8], to descriptor: Int32) {
        var sent = 0
        while sent < bytes.count {
            let count = bytes.withUnsafeBufferPointer {
                shelfcast_write(descriptor, $0.baseAddress! + sent, $0.count - sent)  // not empty
            }
            guard count > 0 else { return }  // nobody reads any more
            sent += Int(count)
        }
    }
}

extension JSONValue {
    /// A member as text for people: numbers and texts as they are, "-" for what is missing.
    @inline(never)
    func shown(_ name: String) -> String {
        switch self[name] {
        case .text(let bytes)?, .number(let bytes)?: String(decoding: bytes, as: UTF8.self)
        case .bool(let value)?: value ? "yes" : "no"
        case nil, .null?, .array?, .object?: "-"
        }
    }

    func isTrue(_ name: String) -> Bool { self[name] == .bool(true) }

    func list(_ name: String) -> [JSONValue] {
        if case .array(let values)? = self[name] { return values }
        return []
    }

    func integer(_ name: String) -> Int64 {
        guard case .number(let digits)? = self[name], let value = decimal(digits) else { return 0 }
        return Int64(clamping: value)
    }
}
