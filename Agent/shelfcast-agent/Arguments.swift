import AgentCore
import AgentRuntime

/// A command line, cut into what a command declares: options with a value, flags, and the rest.
struct Arguments {
    private(set) var positional: [String] = []
    private var options: [(name: String, value: String)] = []
    private var flags: [String] = []

    /// - Throws: `usage` for an option the command does not have, or one without its value.
    init(
        _ words: [String], options known: [String], flags knownFlags: [String], positionalMax: Int
    ) throws(AgentError) {
        var at = 0
        var onlyPositional = false
        while at < words.count {
            let word = words[at]
            at += 1
            // A negative number is a wrong value, not an option.
            guard !onlyPositional, word.utf8.starts(with: "-".utf8), word.utf8.count > 1,
                decimal(word.utf8.dropFirst().prefix(1)) == nil
            else {
                positional.append(word)
                continue
            }
            if word == "--" {
                onlyPositional = true
                continue
            }
            // Both `--name value` and `--name=value`.
            let bytes = [UInt8](word.utf8)
            let equals = bytes.firstIndex(of: UInt8(ascii: "="))
            let name = equals.map { String(decoding: bytes[..<$0], as: UTF8.self) } ?? word
            if knownFlags.contains(name), equals == nil {
                flags.append(name)
            } else if known.contains(name) {
                if let equals {
                    options.append((name, String(decoding: bytes[(equals + 1)...], as: UTF8.self)))
                } else {
                    guard at < words.count else { throw .usage("\(name) needs a value") }
                    options.append((name, words[at]))
                    at += 1
                }
            } else {
                throw .usage("unknown option \(name)")
            }
        }
        guard positional.count <= positionalMax else {
            // Not all of it: a join token is a secret.
            let word = printable([UInt8](positional[positionalMax].utf8))
            throw .usage("unexpected argument '\(word)'")
        }
    }

    func has(_ flag: String) -> Bool { flags.contains(flag) }
    /// The last value given.
    func value(_ option: String) -> String? { options.last { $0.name == option }?.value }
    func values(_ option: String) -> [String] {
        options.filter { $0.name == option }.map { $0.value }
    }
}
