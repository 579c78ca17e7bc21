import Crypto
import Forecasting
import HTTPTypes
import Hummingbird
import NIOCore

/// The files that pages need beside themselves, each under a name that changes with its content: a browser keeps it for
/// good.
enum StaticFiles {
    struct File: Sendable {
        var name: String
        var type: String
        var content: ByteBuffer

        fileprivate init(_ stem: String, _ ending: String, type: String, _ bytes: [UInt8]) {
            let digest = SHA256.hash(data: bytes).prefix(6).map { byte in
                (byte < 16 ? "0" : "") + String(byte, radix: 16)
            }.joined()
            name = "\(stem).\(digest).\(ending)"
            self.type = type
            content = ByteBuffer(bytes: bytes)
        }
    }

    static let style = File(
        "style", "css", type: "text/css; charset=utf-8", PackageResources.style_css)
    static let live = File(
        "live", "js", type: "text/javascript; charset=utf-8", PackageResources.live_js)
    static let icon = File("icon", "svg", type: "image/svg+xml", Array(iconText.utf8))
    static let all = [style, live, icon]

    /// A shelf with a rising line on it.
    private static let iconText = """
        <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="7" fill="#1f6f5c"/>\
        <path d="M6 24h20M7 19l6-6 5 4 7-9" fill="none" stroke="#fff" stroke-width="2.6" stroke-linecap="round" stroke-linejoin="round"/></svg>
        """
}

/// The stylesheet, for a page that is a file by itself.
package enum PageStyle {
    package static var text: String { String(decoding: PackageResources.style_css, as: UTF8.self) }

    /// As the content of a style element, where text is not escaped: it has no "<" (tested).
    package static var markup: Markup { Markup(trustedStyle: text) }
}
