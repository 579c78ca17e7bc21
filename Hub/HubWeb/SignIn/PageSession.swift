import Crypto
import Forecasting
import HTTPTypes
import HubCore
import HubStore
import Hummingbird

/// Who looks at a page, and the secret that his browser holds.
struct PageSession: Sendable {
    var user: UserRecord
    let secret: Secret

    var isOperator: Bool { user.role == .operator }

    /// Proves in a form that it was made by a page of this session.
    var formField: Markup { Secret.formField(secret.formToken) }

    /// What a browser holds as a cookie: 256 random bits, as base64url.
    struct Secret: Sendable {
        static let bytes = 32
        /// The hidden field of every form.
        static let fieldName = "proof"

        let text: String

        /// A new one.
        init() {
            var random = SystemRandomNumberGenerator()
            text = Base64URL.text((0..<Self.bytes).map { _ in random.next() })
        }

        /// - Returns: nil for what is none of ours.
        init?(cookie text: String) {
            guard text.utf8.count == 43,
                text.utf8.allSatisfy({ byte in
                    (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte)
                        || (0x61...0x7A).contains(byte) || byte == UInt8(ascii: "-")
                        || byte == UInt8(ascii: "_")
                })
            else { return nil }
            self.text = text
        }

        var sha256: [UInt8] { Array(SHA256.hash(data: Array(text.utf8))) }

        /// Known to pages of the hub alone: who cannot read the cookie cannot make it.
        var formToken: String {
            Base64URL.text(
                Array(
                    HMAC<SHA256>.authenticationCode(
                        for: Array("form".utf8), using: SymmetricKey(data: Array(text.utf8)))))
        }

        func accepts(formToken token: String?) -> Bool {
            guard let token else { return false }
            let (own, given) = (Array(formToken.utf8), Array(token.utf8))
            guard own.count == given.count else { return false }
            return zip(own, given).reduce(UInt8(0)) { $0 | ($1.0 ^ $1.1) } == 0
        }

        static func formField(_ token: String) -> Markup {
            "<input type=\"hidden\" name=\"proof\" value=\"\(token)\">"
        }
    }
}
