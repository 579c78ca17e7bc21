import Foundation
import SyncProtocol
import Testing

@Suite("SPEC.md and the code")
struct SpecificationTests {
    /// The cells of every table row of SPEC.md below a heading.
    static func rows(below heading: String) throws -> [[String]] {
        let path = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appendingPathComponent("../../Protocol/SPEC.md").standardized
        let text = try String(contentsOf: path, encoding: .utf8)
        var inside = false
        var rows: [[String]] = []
        for line in text.split(separator: "\n") {
            if line.hasPrefix("#") { inside = line.hasSuffix(heading) }
            guard inside, line.hasPrefix("|"), !line.hasPrefix("|---") else { continue }
            rows.append(
                line.split(separator: "|", omittingEmptySubsequences: false).dropFirst().dropLast()
                    .map { $0.trimmingCharacters(in: .whitespaces) })
        }
        return [[String]](rows.dropFirst())
    }

    @Test("agree on kinds, senders and ceilings")
    func kinds() throws {
        var seen: Set<UInt8> = []
        for row in try Self.rows(below: "4.1 Frames") {
            for number in row[0].split(separator: ", ") {
                let kind = try #require(UInt8(number).flatMap(MessageKind.init(rawValue:)))
                #expect(kind.isSent(by: .device) == ["device", "both"].contains(row[2]))
                #expect(kind.isSent(by: .hub) == ["hub", "both"].contains(row[2]))
                #expect(kind.payloadBytesMax == Int(row[3].replacing(",", with: "")), "\(kind)")
                seen.insert(kind.rawValue)
            }
        }
        #expect(seen == Set(MessageKind.allCases.map(\.rawValue)))
    }

    @Test("agree on refusal codes and what to do after each")
    func refusals() throws {
        let rows = try Self.rows(below: "11. Refusals")
        #expect(rows.count == 17)
        for (index, row) in rows.enumerated() {
            let code = RefusalCode(rawValue: Int32(index + 1))
            #expect(row[0] == "\(index + 1)")
            let camelCase = row[1].split(separator: "_").enumerated()
                .map { $0 == 0 ? $1.lowercased() : $1.capitalized }.joined()
            #expect("\(code)" == camelCase)
            #expect(code.retry == (row[2] == "yes"), "\(code)")
            // Ahead of what a hub may say instead.
            let seconds = row[3].prefix { $0.isNumber }
            #expect(code.retryAfterSeconds == UInt32(seconds) ?? 0, "\(code)")
        }
    }

    @Test("agree on the versions there are")
    func versions() throws {
        let last = try #require(try Self.rows(below: "14. Versions").last)
        #expect(UInt32(last[0]) == Limit.versionMax)
    }
}

@Suite("A refusal")
struct RefusalTests {
    @Test("says what SPEC 11 says about retrying")
    func retry() {
        #expect(
            Refusal(.busy, "later")
                == Refusal(code: .busy, message: "later", retry: true, retryAfterSeconds: 10))
        #expect(Refusal(.revoked, "") == Refusal(code: .revoked))
    }

    @Test(
        "with a message too long to send is cut between characters",
        arguments: [
            ("abc", 3, "abc"), ("abcd", 3, "abc"), ("aä", 3, "aä"), ("aäb", 3, "aä"),
            ("aää", 4, "aä"),
            ("a😀", 4, "a"), ("a😀", 5, "a😀"), ("a😀b", 5, "a😀"), ("語語", 5, "語"), ("語", 2, ""),
            ("", 0, ""),
        ])
    func cutting(text: String, bytesMax: Int, expected: String) {
        #expect(cut(text, bytesMax: bytesMax) == expected)
        #expect(cut(text, bytesMax: bytesMax).utf8.count <= bytesMax)
    }

    @Test("fits its frame whatever it says")
    func longest() throws {
        let refusal = Refusal(.internal, String(repeating: "😀", count: 5_000))
        #expect(refusal.message.utf8.count == 1_024)
        #expect(try decode(encodeFrame(.refusal(refusal)), from: .hub) == [.refusal(refusal)])
    }
}
