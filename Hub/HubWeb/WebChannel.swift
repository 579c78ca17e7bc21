import FoundationEssentials
import Hummingbird
import HummingbirdCore
import Logging
import NIOCore
import NIOSSL

/// A connection to the door or the pages: TLS with the certificate of the day, HTTP/1.1 inside, and an end that no client
/// can put off.
struct WebChannel: ServerChildChannel {
    let http: HTTP1Channel
    /// nil: plain HTTP.
    let tls: WebTLS?
    let limits: HubWebLimits

    init(responder: @escaping HTTPChannelHandler.Responder, tls: WebTLS?, limits: HubWebLimits) {
        self.tls = tls
        self.limits = limits
        http = HTTP1Channel(
            responder: responder,
            configuration: .init(
                idleTimeout: .milliseconds(limits.idleMilliseconds),
                httpDecoderConfiguration: .init(
                    maxHeaderFieldSize: limits.headerBytesMax,
                    maxHeaderListSize: limits.headerBytesMax,
                    maxHeaderFieldCount: limits.headersMax)))
    }

    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<HTTP1Channel.Value> {
        channel.eventLoop.makeCompletedFuture {
            let end = channel.eventLoop.scheduleTask(
                in: .milliseconds(limits.connectionMilliseconds)
            ) { channel.close(promise: nil) }
            channel.closeFuture.whenComplete { _ in end.cancel() }
            if let tls {
                try channel.pipeline.syncOperations.addHandler(
                    NIOSSLServerHandler(context: tls.context(now: Date(), logger: logger)))
            }
        }.flatMap { http.setup(channel: channel, logger: logger) }
    }

    func handle(value: HTTP1Channel.Value, logger: Logger) async {
        await http.handle(value: value, logger: logger)
    }
}
