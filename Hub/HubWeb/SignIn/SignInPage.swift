import Forecasting
import HTTPTypes
import HubCore
import HubStore
import Hummingbird
import HummingbirdCore

/// Where people sign in and out.
struct SignInPage: Sendable {
    let store: any HubStore
    let desk: SignInDesk
    let cookie: SessionCookie
    let clock: PageClock

    /// - Parameter path: to go to afterwards.
    static func link(next path: String?) -> Link {
        guard let path, let next = next(path), next.text != "/" else { return Link("sign-in") }
        return Link("sign-in", query: [("next", next.text)])
    }

    /// Only an address of our own; nobody is sent elsewhere.
    private static func next(_ path: String?) -> Destination? {
        guard let path, path.utf8.count <= 1_024, path.hasPrefix("/"), !path.hasPrefix("//"),
            path.utf8.allSatisfy({ (0x21...0x7E).contains($0) && $0 != UInt8(ascii: "\\") })
        else { return nil }
        return Destination(text: path)
    }

    /// A path of ours with its query, as a browser asked for it.
    private struct Destination { var text: String }

    func add(to router: Router<PageContext>) {
        router.get("sign-in") { request, context in
            try await form(request, nil, status: .ok, next: request.uri.query)
        }
        router.post("sign-in") { request, context in try await signIn(request, context) }
        router.post("sign-out") { request, _ in try await signOut(request) }
    }

    private func form(
        _ request: Request, _ problem: String?, name: String = "",
        status: HTTPResponse.Status, next query: String?
    ) async throws -> Response {
        let path = query.flatMap { FormFields($0) }?["next"]
        let secret = cookie.formSecret(of: request) ?? PageSession.Secret()
        let body: Markup
        if try await store.users().isEmpty {
            body = """
                <p class="word">There are no users yet. On the hub's machine, make the first one and give it a password:</p>
                <p><code>shelfcast-hub user add NAME --role operator</code></p>
                <p><code>shelfcast-hub user password NAME</code></p>
                <p class="note">An operator may change what runs, a viewer may look. Then <a href="/sign-in">sign in</a>.</p>
                """
        } else {
            let word: Markup? = problem.map { "<p class=\"word bad\" role=\"alert\">\($0)</p>" }
            let next: Markup? = Self.next(path).map {
                "<input type=\"hidden\" name=\"next\" value=\"\($0.text)\">"
            }
            body = """
                \(word)
                <form method="post" action="/sign-in">
                \(PageSession.Secret.formField(secret.formToken))\(next)
                <label>Name <input name="name" value="\(name)" autocomplete="username" autocapitalize="none" required maxlength="64" autofocus></label>
                <label>Password <input name="password" type="password" autocomplete="current-password" required maxlength="256"></label>
                <div><button>Sign in</button></div>
                </form>
                """
        }
        var page = Page("Sign in to Shelfcast", body: body)
        page.isSheet = true
        var response = Response.page(page, for: nil, status: status)
        response.headers[values: .setCookie] = [
            cookie.setting(cookie.formName, to: secret.text, secondsMax: nil)
        ]
        return response
    }

    private func signIn(_ request: Request, _ context: PageContext) async throws -> Response {
        let fields = try await request.formFields()
        let name = fields["name"] ?? ""
        let next = fields["next"].map { "next=" + Link.encoded($0) }
        guard let secret = cookie.formSecret(of: request),
            secret.accepts(formToken: fields[PageSession.Secret.fieldName])
        else {
            return try await form(
                request, "This page was open for long, or cookies are off: try again.",
                name: name, status: .forbidden, next: next)
        }
        switch try await desk.signIn(
            name: name, password: fields["password"] ?? "", peer: context.peer, at: clock.now())
        {
        case .signedIn(let session):
            var response = Response(
                status: .seeOther, headers: [.location: Self.next(fields["next"])?.text ?? "/"])
            response.headers[values: .setCookie] = [
                cookie.setting(
                    cookie.name, to: session.secret.text,
                    secondsMax: Int(SessionRecord.ageSeconds)),
                cookie.setting(cookie.formName, to: "", secondsMax: 0),
            ]
            return response
        case .refused:
            return try await form(
                request, "The name or the password is wrong.", name: name, status: .unauthorized,
                next: next)
        case .later(let seconds):
            var response = try await form(
                request, "Too many wrong tries: try again in \(Figure.count(seconds, "second")).",
                name: name, status: .tooManyRequests, next: next)
            response.headers[.retryAfter] = "\(seconds)"
            return response
        }
    }

    private func signOut(_ request: Request) async throws -> Response {
        let fields = try await request.formFields()
        if let secret = cookie.secret(of: request) {
            guard secret.accepts(formToken: fields[PageSession.Secret.fieldName]) else {
                throw Refusal(.forbidden, "This form was not made by a page of yours.")
            }
            try await desk.signOut(secret)
        }
        var response = Response.seeOther(Link("sign-in"))
        response.headers[values: .setCookie] = [
            cookie.setting(cookie.name, to: "", secondsMax: 0)
        ]
        return response
    }
}

extension Request {
    /// Of a form that was sent, 16 KiB at most.
    func formFields() async throws -> FormFields {
        guard
            headers[.contentType]?.split(separator: ";").first
                == "application/x-www-form-urlencoded"
        else { throw Refusal(.unsupportedMediaType, "This takes forms only.") }
        let body = try await body.collect(upTo: 16 << 10)
        guard let fields = FormFields(String(buffer: body)) else {
            throw Refusal(.badRequest, "The form cannot be read.")
        }
        return fields
    }

    /// Of the address.
    var queryFields: FormFields {
        get throws {
            guard let query = uri.query else { return FormFields() }
            guard let fields = FormFields(query) else {
                throw Refusal(.badRequest, "The address cannot be read.")
            }
            return fields
        }
    }
}
