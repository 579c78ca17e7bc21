import Foundation
import HubCore
import NIOCore
import NIOPosix
import NIOSSL

/// Hands one message to a mail server (RFC 5321; STARTTLS RFC 3207; AUTH RFC 4954).
struct MailSender {
    private typealias Inbound = NIOAsyncChannelInboundStream<ByteBuffer>
    private typealias Outbound = NIOAsyncChannelOutboundWriter<ByteBuffer>

    let route: MailRoute
    let password: AlertSecret?
    let limits: SendLimits

    func send(_ message: MailMessage) async throws {
        let route = route
        let channel = try await AlertSender.bootstrap(limits).connect(
            host: route.host, port: route.port
        ) { channel in
            channel.eventLoop.makeCompletedFuture {
                if route.security == .tls {
                    try channel.pipeline.syncOperations.addHandler(
                        AlertSender.tlsHandler(host: route.host, limits))
                }
                return try NIOAsyncChannel<ByteBuffer, ByteBuffer>(
                    wrappingChannelSynchronously: channel)
            }
        }
        let pipe = channel.channel
        try await channel.executeThenClose { inbound, outbound in
            var dialog = Dialog(
                input: inbound.makeAsyncIterator(), output: outbound, limits: limits)
            try await dialog.expect(220, "its greeting")
            var can = try await dialog.hello()
            if route.security == .starttls {
                guard can.contains("STARTTLS") else {
                    throw SendError.refused("it offers no STARTTLS; nothing was sent in the clear")
                }
                try await dialog.say("STARTTLS", expect: 220)
                // What came with the answer was said by somebody who is not encrypted.
                guard dialog.isDrained else { throw SendError.garbled("words after STARTTLS") }
                try await pipe.eventLoop.submit {
                    try pipe.pipeline.syncOperations.addHandler(
                        AlertSender.tlsHandler(host: route.host, limits), position: .first)
                }.get()
                can = try await dialog.hello()
            }
            if let user = route.user {
                try await authenticate(user, can, &dialog)
            }
            try await dialog.say("MAIL FROM:<\(message.from)>", expect: 250)
            for recipient in message.to {
                try await dialog.say("RCPT TO:<\(recipient)>", expect: 250, 251)
            }
            try await dialog.say("DATA", expect: 354)
            // A line that begins with a dot gets another one.
            let stuffed = message.text.replacingOccurrences(of: "\r\n.", with: "\r\n..")
            try await dialog.say(stuffed + ".", expect: 250)
            // It has the message: how it says goodbye is of no consequence.
            try? await dialog.say("QUIT", expect: 221)
        }
    }

    private func authenticate(
        _ user: String, _ can: Set<String>, _ dialog: inout Dialog
    ) async throws {
        let password = password?.bytes ?? []
        if can.contains("AUTH PLAIN") {
            let words = [0] + Array(user.utf8) + [0] + password
            try await dialog.say(
                "AUTH PLAIN " + Data(words).base64EncodedString(), expect: 235, as: "AUTH PLAIN")
        } else if can.contains("AUTH LOGIN") {
            try await dialog.say("AUTH LOGIN", expect: 334)
            try await dialog.say(
                Data(user.utf8).base64EncodedString(), expect: 334, as: "the user's name")
            try await dialog.say(
                Data(password).base64EncodedString(), expect: 235, as: "the password")
        } else {
            throw SendError.refused("it takes neither AUTH PLAIN nor AUTH LOGIN")
        }
    }

    /// Lines said and answered, one after the other.
    private struct Dialog {
        private static let linesMax = 100

        var input: Inbound.AsyncIterator
        let output: Outbound
        let limits: SendLimits
        private var received = ByteBuffer()

        init(input: Inbound.AsyncIterator, output: Outbound, limits: SendLimits) {
            self.input = input
            self.output = output
            self.limits = limits
        }

        var isDrained: Bool { received.readableBytes == 0 }

        /// - Parameter name: of what is said, where that itself is nobody's business.
        mutating func say(_ line: String, expect codes: Int..., as name: String? = nil) async throws
        {
            try await output.write(ByteBuffer(string: line + "\r\n"))
            let what = name ?? String(line.prefix { !$0.isNewline }.prefix(60))
            _ = try await answer(codes, to: what)
        }

        mutating func expect(_ code: Int, _ what: String) async throws {
            _ = try await answer([code], to: what)
        }

        /// - Returns: what the server can do, in capitals: a word each, and `AUTH X` for each way.
        mutating func hello() async throws -> Set<String> {
            try await output.write(ByteBuffer(string: "EHLO shelfcast-hub\r\n"))
            var can: Set<String> = []
            for line in try await answer([250], to: "EHLO").dropFirst() {
                let words = line.uppercased().split(separator: " ").map(String.init)
                guard let first = words.first else { continue }
                can.insert(first)
                for word in words.dropFirst() { can.insert("\(first) \(word)") }
            }
            return can
        }

        private mutating func answer(_ codes: [Int], to what: String) async throws -> [String] {
            var lines: [String] = []
            while lines.count < Self.linesMax {
                let line = try await self.line()
                guard line.utf8.count >= 3, let code = Int(line.prefix(3)),
                    (200...599).contains(code)
                else { throw SendError.garbled("'\(line.prefix(60))' after \(what)") }
                let rest = line.dropFirst(3)
                lines.append(String(rest.dropFirst()))
                if rest.first == "-" { continue }
                guard codes.contains(code) else {
                    throw SendError.refused("\(line.prefix(200)) (after \(what))")
                }
                return lines
            }
            throw SendError.garbled("more than \(Self.linesMax) lines after \(what)")
        }

        private mutating func line() async throws -> String {
            while true {
                if let end = received.readableBytesView.firstIndex(of: UInt8(ascii: "\n")) {
                    let count = end - received.readerIndex + 1
                    let bytes = received.readBytes(length: count) ?? []
                    let text = String(decoding: bytes, as: UTF8.self)
                    return text.trimmingCharacters(in: .whitespacesAndNewlines)
                }
                guard received.readableBytes <= limits.answerBytesMax else {
                    throw SendError.garbled("a line of more than \(limits.answerBytesMax) bytes")
                }
                guard let more = try await input.next() else {
                    throw SendError.garbled("it closed the connection")
                }
                received.writeImmutableBuffer(more)
            }
        }
    }
}
