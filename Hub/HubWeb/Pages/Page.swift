import Forecasting
import HTTPTypes
import HubCore
import Hummingbird

/// One page before it is sent: what differs from page to page.
struct Page: Sendable {
    enum Section: String, CaseIterable, Sendable {
        case overview, alerts, stores, fleet, rollouts, models, audit

        var title: String {
            switch self {
            case .overview: "Overview"
            case .alerts: "Alerts"
            case .stores: "Stores"
            case .fleet: "Fleet"
            case .rollouts: "Rollouts"
            case .models: "Models"
            case .audit: "Audit log"
            }
        }

        var link: Link { self == .overview ? Link() : Link(rawValue) }
    }

    var title: String
    var section: Section?
    /// The pages above this one, the nearest last.
    var crumbs: [(title: String, link: Link)] = []
    /// What it is of, in a line under the title.
    var scope: String?
    var body: Markup
    /// One narrow column instead of the full width.
    var isSheet = false
    /// How the command line says the same; nil: it does not.
    var command: String?

    init(_ title: String, in section: Section? = nil, scope: String? = nil, body: Markup = .empty) {
        self.title = title
        self.section = section
        self.scope = scope
        self.body = body
    }

    /// - Parameter session: who looks; nil: nobody is signed in.
    func html(for session: PageSession?) -> String {
        let trail: Markup? =
            crumbs.isEmpty
            ? nil
            : """
            <p class="crumbs">\(crumbs.map { $0.link.to($0.title) }.joined(by: " › "))</p>
            """
        let scope: Markup? = scope.map { "<p class=\"scope\">\($0)</p>" }
        let same: Markup? = command.map { "<p>The same figures: <code>\($0)</code></p>" }
        let markup: Markup = """
            <!doctype html>
            <html lang="en">
            <head>
            <meta charset="utf-8">
            <meta name="viewport" content="width=device-width, initial-scale=1">
            <title>\(title) · Shelfcast</title>
            <link rel="stylesheet" href="/static/\(StaticFiles.style.name)">
            <link rel="icon" type="image/svg+xml" href="/static/\(StaticFiles.icon.name)">
            <script src="/static/\(StaticFiles.live.name)" defer></script>
            </head>
            <body>
            <a class="skip" href="#main">Skip to content</a>
            \(session.map(bar))
            <main id="main"\(isSheet ? " class=\"sheet\"" as Markup : nil)>
            \(trail)
            <h1>\(title)</h1>
            \(scope)
            \(body)
            </main>
            \(isSheet ? nil : "<footer>\(same)<p>n/a: not known; no data is not no error. All of this for programs: <a href=\"/api/v1/openapi.json\">the API</a>.</p></footer>" as Markup)
            </body>
            </html>

            """
        return markup.text
    }

    private func bar(_ session: PageSession) -> Markup {
        let links: [Markup] = Section.allCases.map { one in
            let current: Markup = one == section ? " aria-current=\"page\"" : .empty
            return "<a href=\"\(one.link.text)\"\(current)>\(one.title)</a>\n"
        }
        return """
            <header class="bar"><div>
            <a class="name" href="/">Shelfcast</a>
            <nav aria-label="Pages">\(links)</nav>
            <form class="who" method="post" action="/sign-out">\(session.formField)\
            <span>\(session.user.name), \(session.user.role.rawValue)</span>\
            <button class="quiet">Sign out</button></form>
            </div></header>
            """
    }
}
