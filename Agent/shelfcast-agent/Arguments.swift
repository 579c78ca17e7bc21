import AgentCore
import AgentRuntime
import CPosix

/// A command line, cut into what a command declares: options with a value, flags, and the rest.
struct Arguments {
    private(set) var positional: [String] = []
    /// line: of the option file; nil for the command line.
    private var options: [(name: String, value: String, line: Int?)] = []
    private var flags: [String] = []
    private let known: [String]
    private let knownFlags: [String]
    private var file = ""

    /// - Throws: `usage` for an option the command does not have, or one without its value.
    init(
        _ words: [String], options known: [String], flags knownFlags: [String], positionalMax: Int
    ) throws(AgentError) {
        self.known = known
        self.knownFlags = knownFlags
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
                    options.append(
                        (name, String(decoding: bytes[(equals + 1)...], as: UTF8.self), nil))
                } else {
                    guard at < words.count else { throw .usage("\(name) needs a value") }
                    options.append((name, words[at], nil))
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

    // MARK: The option file

    static let standardFile = "/etc/shelfcast/agent.toml"
    /// Where the device keeps everything is for every command, and for who starts them.
    private static let notInFile = ["--state", "--config"]

    /// Takes what the command line does not say from the file that --config, else $SHELFCAST_CONFIG names, else from
    /// the standard one where there is one: its keys are the command's options and flags without the dashes.
    mutating func addDefaults() throws(AgentError) {
        let named =
            value("--config")
            ?? shelfcast_environment("SHELFCAST_CONFIG").map { String(cString: $0) }
        file = named ?? Self.standardFile
        guard let bytes = Files.read(file, bytesMax: OptionFile.bytesMax) else {
            if named == nil, shelfcast_file_bytes(file) == shelfcast_error_not_found() { return }
            throw .usage(
                "cannot read \(file): there is no such file, it is not this user's to read, or it has more than \(OptionFile.bytesMax) bytes"
            )
        }
        let entries: [OptionFile.Entry]
        do throws(OptionFileError) { entries = try OptionFile(bytes).entries } catch {
            throw .usage(place(error.line) + error.text)
        }
        let given = options.map { $0.name }
        for entry in entries {
            let name = "--" + String(decoding: entry.key, as: UTF8.self)
            let isOption = known.contains(name) && !Self.notInFile.contains(name)
            switch entry.value {
            case _ where !isOption && !knownFlags.contains(name):
                throw .usage(
                    place(entry.line)
                        + "unknown key \(printable(entry.key)); there are: \(keys())")
            case .bool(let value) where !isOption:
                if value { flags.append(name) }
            case .text(let value) where isOption, .number(let value) where isOption:
                if !given.contains(name) { add(name, value, entry.line) }
            case .list(let values) where isOption:
                if !given.contains(name) {
                    for value in values { add(name, value, entry.line) }
                }
            case .bool, .text, .number, .list:
                throw .usage(
                    place(entry.line) + printable(entry.key)
                        + (isOption ? " needs a text or a number" : " is true or false"))
            }
        }
    }

    private mutating func add(_ name: String, _ value: [UInt8], _ line: Int) {
        options.append((name, String(decoding: value, as: UTF8.self), line))
    }

    private func place(_ line: Int) -> String { file + ", line \(line): " }

    private func keys() -> String {
        var text = ""
        for name in known + knownFlags where !Self.notInFile.contains(name) {
            text +=
                (text.utf8.isEmpty ? "" : ", ")
                + String(decoding: name.utf8.dropFirst(2), as: UTF8.self)
        }
        return text
    }

    /// A complaint about an option, with its place where it came from the file.
    func located(_ error: AgentError) -> AgentError {
        guard case .usage(let text) = error else { return error }
        for option in options {
            if let line = option.line, text.utf8.starts(with: (option.name + " ").utf8) {
                return .usage(place(line) + text)
            }
        }
        return error
    }
}
