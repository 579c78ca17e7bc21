/// Whom a device asks for names, and how: what resolv.conf(5) says, line by line.
package struct NameServers: Equatable, Sendable {
    package static let serversMax = 3
    package static let searchMax = 6
    /// Where nothing else is said: shorter than other programs wait, who do not keep a radio awake.
    static let secondsDefault: UInt64 = 2

    package private(set) var servers: [NetworkAddress] = []
    /// Domains that a short name is looked for in.
    package private(set) var search: [[UInt8]] = []
    /// A name with so many dots is first taken as it stands.
    package private(set) var dots = 1
    package private(set) var attempts = 2
    private var seconds = Self.secondsDefault

    package init() {}

    /// Whom to ask: where none is named, this machine.
    package var asked: [NetworkAddress] {
        servers.isEmpty ? [NetworkAddress(bytes: [127, 0, 0, 1])] : servers
    }

    /// For one server's answer. Each gets its turn before the whole is given up.
    package var milliseconds: Int64 {
        min(
            Int64(seconds) * 1000,
            NameLookup.millisecondsMax / Int64(asked.count + 1))
    }

    /// Takes one line, without its end. What is not known is passed over, as everywhere.
    package mutating func take(line: ArraySlice<UInt8>) {
        let words = Self.words(line)
        guard let first = words.first else { return }
        if first.elementsEqual("nameserver".utf8) {
            guard words.count > 1, servers.count < Self.serversMax,
                let address = NetworkAddress(text: words[1])
            else { return }
            servers.append(address)
        } else if first.elementsEqual("search".utf8) || first.elementsEqual("domain".utf8) {
            search = words.dropFirst().prefix(Self.searchMax).map { [UInt8]($0) }
        } else if first.elementsEqual("options".utf8) {
            for option in words.dropFirst() {
                let parts = option.split(separator: UInt8(ascii: ":"))
                guard parts.count == 2, let value = decimal(parts[1]) else { continue }
                if parts[0].elementsEqual("ndots".utf8) { dots = Int(min(value, 15)) }
                if parts[0].elementsEqual("attempts".utf8) { attempts = Int(min(max(value, 1), 5)) }
                if parts[0].elementsEqual("timeout".utf8) { seconds = min(max(value, 1), 30) }
            }
        }
    }

    /// The address that a line of hosts(5) gives to `name`, which is in lower case.
    package static func address(inHosts line: ArraySlice<UInt8>, of name: [UInt8])
        -> NetworkAddress?
    {
        let words = words(line)
        guard words.dropFirst().contains(where: { $0.map(NameMessage.lower).elementsEqual(name) })
        else { return nil }
        return NetworkAddress(text: words[0])
    }

    private static func words(_ line: ArraySlice<UInt8>) -> [ArraySlice<UInt8>] {
        let marks = [UInt8(ascii: "#"), UInt8(ascii: ";")]
        let end = line.firstIndex { marks.contains($0) } ?? line.endIndex
        return line[..<end].split { $0 == 32 || $0 == 9 || $0 == 13 }
    }
}
