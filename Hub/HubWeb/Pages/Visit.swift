import Forecasting
import HTTPTypes
import HubCore
import HubStore
import Hummingbird
import HummingbirdCore

/// What every page is made with.
struct Visits: Sendable {
    let store: any HubStore
    let clock: PageClock
    let streams = LiveStreams()

    /// The same look at a later moment.
    func again(_ visit: Visit) -> Visit {
        Visit(
            store: visit.store, session: visit.session, query: visit.query,
            parameters: visit.parameters, now: clock.now())
    }

    /// - Throws: `Refusal` for an address that cannot be read.
    func visit(_ request: Request, _ context: PageContext) throws -> Visit {
        guard let session = context.session else { throw Refusal(.unauthorized) }
        return Visit(
            // What is changed has the name of who changed it in the audit log.
            store: store.acting(as: "user:" + session.user.name), session: session,
            query: try request.queryFields, parameters: context.parameters, now: clock.now())
    }
}

extension Visits {
    /// A form that an operator sent from a page of his own session.
    /// - Throws: `Refusal` for anybody else's.
    fileprivate func order(
        _ request: Request, _ context: PageContext
    ) async throws -> (Visit, FormFields) {
        let visit = try visit(request, context)
        let fields = try await request.formFields()
        guard visit.session.secret.accepts(formToken: fields[PageSession.Secret.fieldName]) else {
            throw Refusal(.forbidden, "This form was not made by a page of yours.")
        }
        guard visit.session.isOperator else {
            throw Refusal(.forbidden, "A viewer may look; this is an operator's to do.")
        }
        return (visit, fields)
    }
}

/// One person's look at one page.
struct Visit: Sendable {
    let store: any HubStore
    let session: PageSession
    let query: FormFields
    let parameters: Parameters
    let now: Timestamp

    /// Of the path.
    /// - Throws: `Refusal` where it cannot be read.
    func part(_ name: String) throws -> String {
        guard let text = parameters.get(name), let decoded = Link.decoded(text) else {
            throw Refusal(.notFound)
        }
        return decoded
    }

    /// Of the path.
    /// - Throws: `Refusal` for what is no identifier: nothing has that name.
    func identifier<Kind>(_ name: String) throws -> Identifier<Kind> {
        do {
            return try Identifier(try part(name))
        } catch is IdentifierError {
            throw Refusal(.notFound)
        }
    }

    func answer(_ page: Page) -> Response { .page(page, for: session) }
}

typealias PageRoutes = RouterGroup<PageContext>

extension RouterGroup<PageContext> {
    /// A page that anybody may see who is signed in.
    func page(
        _ path: RouterPath, _ visits: Visits,
        _ make: @escaping @Sendable (Visit) async throws -> Page
    ) {
        get(path) { request, context in
            let visit = try visits.visit(request, context)
            return visit.answer(try await make(visit))
        }
    }

    /// What an operator may do. The form must be one of his session's own pages.
    /// - Parameter act: does it, and says where to go then.
    func deed(
        _ path: RouterPath, _ visits: Visits,
        _ act: @escaping @Sendable (Visit, FormFields) async throws -> Link
    ) {
        post(path) { request, context in
            let (visit, fields) = try await visits.order(request, context)
            return Response.seeOther(try await act(visit, fields))
        }
    }

    /// What an operator may do with a form in which something can be wrong.
    /// - Parameters:
    ///   - act: does it, and says where to go then. What `FormFault` knows of what it throws is said at the form.
    ///   - again: the page with the form as it was sent.
    func form(
        _ path: RouterPath, _ visits: Visits,
        _ act: @escaping @Sendable (Visit, FormFields) async throws -> Link,
        again: @escaping @Sendable (Visit, FormState) async throws -> Page
    ) {
        post(path) { request, context in
            let (visit, fields) = try await visits.order(request, context)
            do {
                return Response.seeOther(try await act(visit, fields))
            } catch {
                guard let fault = FormFault(of: error) else { throw error }
                let page = try await again(visit, FormState(sent: fields, fault))
                return .page(page, for: visit.session, status: fault.status)
            }
        }
    }
}
