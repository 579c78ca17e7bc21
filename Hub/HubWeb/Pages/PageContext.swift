import Forecasting
import HTTPTypes
import Hummingbird
import HummingbirdCore
import NIOCore

/// What is known of a request to the pages beside the request.
struct PageContext: RequestContext {
    var coreContext: CoreRequestContextStorage
    /// The address that asks, without its port.
    let peer: String
    /// nil: nobody is signed in.
    var session: PageSession?

    init(source: ApplicationRequestContextSource) {
        coreContext = .init(source: source)
        peer = source.channel.remoteAddress?.ipAddress ?? "unknown"
    }

    /// A form is small.
    var maxUploadSize: Int { 16 << 10 }
}
