import Crypto
import Foundation
package import HubCore
import NIOCore
import NIOHTTP1
import NIOPosix

/// What shows a receiver that a notice is from the hub that holds the key, and when it was sent.
package enum WebhookSignature {
    package static let timeHeader = "Shelfcast-Timestamp"
    package static let signatureHeader = "Shelfcast-Signature"

    /// `v1=` and the HMAC-SHA256 (RFC 2104) of `seconds.payload` in hexadecimal.
    package static func value(payload: String, seconds: Int64, key: AlertSecret) -> String {
        let code = HMAC<SHA256>.authenticationCode(
            for: Data("\(seconds).\(payload)".utf8), using: SymmetricKey(data: key.bytes))
        return "v1=" + code.map { String(format: "%02x", $0) }.joined()
    }
}

/// One POST over a connection of its own: alerts are few.
struct WebhookSender {
    let target: WebhookTarget
    let key: AlertSecret
    let limits: SendLimits

    func send(_ delivery: AlertDelivery, at now: Timestamp) async throws {
        let target = target
        let channel = try await AlertSender.bootstrap(limits).connect(
            host: target.host, port: target.port
        ) { channel in
            channel.eventLoop.makeCompletedFuture {
                if target.isEncrypted {
                    try channel.pipeline.syncOperations.addHandler(
                        AlertSender.tlsHandler(host: target.host, limits))
                }
                try channel.pipeline.syncOperations.addHTTPClientHandlers()
                return try NIOAsyncChannel<HTTPClientResponsePart, HTTPClientRequestPart>(
                    wrappingChannelSynchronously: channel)
            }
        }
        let status = try await channel.executeThenClose { inbound, outbound in
            let seconds = now.millisecondsSince1970 / 1_000
            let body = ByteBuffer(string: delivery.payload)
            var head = HTTPRequestHead(version: .http1_1, method: .POST, uri: target.path)
            let isUsualPort = target.port == (target.isEncrypted ? 443 : 80)
            let host = target.host.contains(":") ? "[\(target.host)]" : target.host
            head.headers = [
                "Host": isUsualPort ? host : "\(host):\(target.port)",
                "Content-Type": "application/json", "Content-Length": "\(body.readableBytes)",
                "User-Agent": "shelfcast-hub", "Connection": "close",
                WebhookSignature.timeHeader: "\(seconds)",
                WebhookSignature.signatureHeader: WebhookSignature.value(
                    payload: delivery.payload, seconds: seconds, key: key),
            ]
            try await outbound.write(.head(head))
            try await outbound.write(.body(.byteBuffer(body)))
            try await outbound.write(.end(nil))
            var bytes = 0
            for try await part in inbound {
                switch part {
                // 1xx announces another one.
                case .head(let head) where head.status.code >= 200: return head.status
                case .head, .end: break
                case .body(let more):
                    bytes += more.readableBytes
                    if bytes > limits.answerBytesMax {
                        throw SendError.garbled("more than \(bytes) bytes before a status")
                    }
                }
            }
            throw SendError.garbled("it closed the connection without an answer")
        }
        guard (200..<300).contains(status.code) else {
            throw SendError.refused("status \(status.code) \(status.reasonPhrase)")
        }
    }
}
