import Foundation
package import HubCore

/// A notice as mail (RFC 5322), ready to be sent: lines end in CR LF, none is longer than 998 bytes.
package struct MailMessage: Hashable, Sendable {
    package var from: String
    package var to: [String]
    package var text: String

    package init(_ delivery: AlertDelivery, from: String, to: [String], at now: Timestamp) {
        self.from = from
        self.to = to
        let notice = try? JSONDecoder().decode(AlertNotice.self, from: Data(delivery.payload.utf8))
        let title = notice.map { "\(Self.word($0)): \($0.title)" } ?? "an alert"
        let body =
            [notice?.title ?? delivery.payload, notice?.detail ?? ""].filter { !$0.isEmpty }
            .joined(separator: "\n\n")
            + "\n\n"
            + (notice.map { notice in
                notice.alert == 0
                    ? ""
                    : "alert \(notice.alert), \(notice.kind?.rawValue ?? ""), \(notice.subject)\n"
                        + "shelfcast-hub alerts show \(notice.alert)\n"
            } ?? "")
        let domain = from.split(separator: "@").last.map(String.init) ?? "localhost"
        let base64 = Data(body.utf8).base64EncodedString()
        let lines = stride(from: 0, to: base64.utf8.count, by: 76).map { start in
            let from = base64.utf8.index(base64.startIndex, offsetBy: start)
            let to =
                base64.utf8.index(from, offsetBy: 76, limitedBy: base64.endIndex)
                ?? base64.endIndex
            return String(base64[from..<to])
        }
        text =
            ([
                "From: <\(from)>", "To: \(to.map { "<\($0)>" }.joined(separator: ",\r\n "))",
                "Subject: \(Self.encoded("[shelfcast] " + title))",
                "Date: \(Self.date(now))",
                "Message-ID: <\(notice?.id ?? "\(delivery.notice)").\(delivery.destination)@\(domain)>",
                "Auto-Submitted: auto-generated", "MIME-Version: 1.0",
                "Content-Type: text/plain; charset=utf-8", "Content-Transfer-Encoding: base64", "",
            ] + lines).joined(separator: "\r\n") + "\r\n"
    }

    private static func word(_ notice: AlertNotice) -> String {
        switch notice.event {
        case .resolved: "over"
        case .test: "test"
        case .reminded: "still"
        default: notice.severity.rawValue
        }
    }

    /// As encoded words (RFC 2047) of whole characters.
    private static func encoded(_ text: String) -> String {
        let clean = text.map { $0.isNewline ? " " : $0 }
        if clean.allSatisfy({ $0.isASCII && $0 >= " " && $0 <= "~" }), clean.count <= 900 {
            return String(clean)
        }
        var words: [String] = []
        var word = ""
        for character in clean {
            if word.utf8.count + String(character).utf8.count > 42 {
                words.append(word)
                word = ""
            }
            word.append(character)
        }
        words.append(word)
        return words.map { "=?utf-8?B?\(Data($0.utf8).base64EncodedString())?=" }
            .joined(separator: "\r\n ")
    }

    private static func date(_ moment: Timestamp) -> String {
        let formatter = DateFormatter()
        formatter.locale = Locale(identifier: "en_US_POSIX")
        formatter.timeZone = TimeZone(secondsFromGMT: 0)
        formatter.dateFormat = "EEE, dd MMM yyyy HH:mm:ss '+0000'"
        return formatter.string(
            from: Date(timeIntervalSince1970: Double(moment.millisecondsSince1970) / 1_000))
    }
}
