package enum UTF8Text {
    /// Where `bytes` first stop being UTF-8 (RFC 3629: shortest forms only, no surrogates, nothing above
    /// U+10FFFF); nil when they never do.
    package static func firstFault(in bytes: [UInt8]) -> Int? {
        var at = 0
        while at < bytes.count {
            let lead = bytes[at]
            let trailing: Int
            // What the second byte may be: this is where overlong forms and surrogates show.
            var second: ClosedRange<UInt8> = 0x80...0xBF
            switch lead {
            case 0...0x7F:
                at += 1
                continue
            case 0xC2...0xDF: trailing = 1
            case 0xE0...0xEF:
                trailing = 2
                if lead == 0xE0 { second = 0xA0...0xBF }
                if lead == 0xED { second = 0x80...0x9F }
            case 0xF0...0xF4:
                trailing = 3
                if lead == 0xF0 { second = 0x90...0xBF }
                if lead == 0xF4 { second = 0x80...0x8F }
            default: return at
            }
            guard at + trailing < bytes.count, second.contains(bytes[at + 1]) else { return at }
            for index in 1..<trailing where bytes[at + 1 + index] & 0xC0 != 0x80 { return at }
            at += trailing + 1
        }
        return nil
    }
}
