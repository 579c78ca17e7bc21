import Forecasting
import Foundation
import Testing
import Training

@Suite("Distillation")
struct DistillationTests {
    /// A session with networks that were really trained in it.
    private struct School {
        var session: TrainingSession
        var teacher: Teacher
        var student: FitRequest

        init(
            _ form: ModelForm = .calendar, teacherUnits: Int = 12, studentUnits: Int = 4,
            loss: Loss = .automatic
        ) throws {
            var plan = TrainingSessionTests.plan(form)
            (plan.epochs, plan.loss) = (5, loss)
            session = try TrainingSession(series: SalesFixture().series, plan: plan)
            let trained = try session.fit(
                FitRequest(shape: session.shape(units: teacherUnits), plan: session.plan))
            teacher = Teacher(session: session, parameters: trained.parameters)
            student = FitRequest(shape: session.shape(units: studentUnits), plan: session.plan)
            student.seed = 9
        }

        func fit(_ distillation: Distillation?, epochs: Int? = nil) throws -> FittedNetwork {
            var request = student
            request.distillation = distillation
            request.epochs = epochs ?? request.epochs
            return try session.fit(request)
        }
    }

    /// KL(Poisson(t) ‖ Poisson(s)), summed over what can be sold.
    private static func divergence(_ t: Double, _ s: Double) -> Double {
        (0..<400).reduce(0) { sum, k in
            let log = Double(k) * Foundation.log(t) - t - lgamma(Double(k) + 1)
            return sum + exp(log) * (Double(k) * (Foundation.log(t) - Foundation.log(s)) - t + s)
        }
    }

    @Test(
        "Under the Poisson loss the response loss is the divergence of the two Poisson distributions",
        arguments: [1, 3])
    func poissonDivergence(count: Int) throws {
        let school = try School(.profile, loss: .tweedie(power: 1))
        let session = school.session
        var teachers = [school.teacher]
        while teachers.count < count {
            var other = school.student
            other.seed = 20 + UInt64(teachers.count)
            teachers.append(
                Teacher(session: session, parameters: try session.fit(other).parameters))
        }
        let start = try school.fit(nil, epochs: 0).parameters
        var request = FitRequest(start: start, plan: session.plan)
        // Steps too small to change a forecast: an epoch then shows the distance of the start.
        (request.epochs, request.learningRate, request.dropout) = (1, 1e-12, 0)
        request.distillation = Distillation(teachers: teachers, truthWeight: 0)
        let fitted = try session.fit(request)

        let forecasts = teachers.map { session.trainingForecasts($0.parameters) }
        let means = forecasts[0].indices.map { k in
            forecasts.reduce(0.0) { $0 + Double($1[k]) } / Double(forecasts.count)
        }
        let own = session.trainingForecasts(start)
        let expected = zip(means, own).reduce(0.0) { $0 + Self.divergence($1.0, Double($1.1)) }
        // Losses are in units of the mean forecast of a network that says nothing.
        let silent = session.trainingForecasts(
            NetworkParameters(
                shape: request.shape,
                flattened: [Float](repeating: 0, count: request.shape.parameterCount)))
        let scale = silent.reduce(0.0) { $0 + Double($1) }
        #expect(abs(Double(fitted.teacherDistances[0]) / (expected / scale) - 1) < 0.01)
        #expect(fitted.teacherDistances[0] == fitted.trainingLosses[0])
    }

    @Test("A student's response moves to its teachers'", arguments: ModelForm.allCases)
    func response(form: ModelForm) throws {
        let school = try School(form)
        let taught = try school.fit(Distillation(teachers: [school.teacher], truthWeight: 0))
        let untaught = try school.fit(nil)
        let target = school.session.trainingForecasts(school.teacher.parameters)
        func distance(_ parameters: NetworkParameters) -> Double {
            zip(school.session.trainingForecasts(parameters), target).reduce(0) {
                $0 + Double(($1.0 - $1.1) * ($1.0 - $1.1))
            }
        }
        #expect(distance(taught.parameters) < 0.9 * distance(untaught.parameters))
        #expect(try #require(taught.teacherDistances.last) < taught.teacherDistances[0])
        #expect(untaught.teacherDistances.isEmpty)
    }

    @Test(
        "A student's hidden states move to its teacher's, of the same number or through a projection"
    )
    func features() throws {
        for units in [12, 4] {
            let school = try School(studentUnits: units)
            let taught = try school.fit(
                Distillation(teachers: [school.teacher], kind: .features(weight: 2)))
            let first = taught.teacherDistances[0]
            #expect(try #require(taught.teacherDistances.last) < 0.6 * first)
            #expect(try #require(taught.test?.wape) < 20)
            guard units == 12 else { continue }
            let target = school.session.trainingHiddenStates(school.teacher.parameters)
            func distance(_ parameters: NetworkParameters) -> Double {
                let states = school.session.trainingHiddenStates(parameters)
                return zip(states, target).reduce(0) {
                    $0 + Double(($1.0 - $1.1) * ($1.0 - $1.1))
                } / Double(target.count)
            }
            let untaught = try school.fit(nil)
            #expect(distance(taught.parameters) < 0.3 * distance(untaught.parameters))
        }
    }

    @Test("The distances between a student's samples come to be those between its teacher's")
    func relations() throws {
        let school = try School()
        let taught = try school.fit(
            Distillation(teachers: [school.teacher], kind: .relations(weight: 5)))
        let untaught = try school.fit(nil)
        let teacher = school.session.trainingHiddenStates(school.teacher.parameters)
        func distance(_ parameters: NetworkParameters) -> Double {
            let states = school.session.trainingHiddenStates(parameters)
            // Every so-manieth window: days of all the year.
            let windows = (0..<60).map { $0 * school.session.trainingWindows / 60 }
            return Self.relationLoss(
                windows.map { Array(states[4 * $0..<4 * $0 + 4]) },
                windows.map { Array(teacher[12 * $0..<12 * $0 + 12]) })
        }
        #expect(distance(taught.parameters) < 0.6 * distance(untaught.parameters))
        #expect(try #require(taught.teacherDistances.last) < 0.6 * taught.teacherDistances[0])
        #expect(try #require(taught.test?.wape) < 20)
    }

    /// As plain as the paper has it.
    private static func relationLoss(_ student: [[Float]], _ teacher: [[Float]]) -> Double {
        func ratios(_ states: [[Float]]) -> [Double] {
            var distances: [Double] = []
            for a in states.indices {
                for b in 0..<a {
                    let squares = zip(states[a], states[b]).reduce(0.0) {
                        $0 + pow(Double($1.0) - Double($1.1), 2)
                    }
                    distances.append(squares.squareRoot())
                }
            }
            let mean = distances.reduce(0, +) / Double(distances.count)
            return distances.map { $0 / mean }
        }
        let (own, other) = (ratios(student), ratios(teacher))
        return zip(own, other).reduce(0.0) {
            let size = abs($1.0 - $1.1)
            return $0 + (size < 1 ? size * size / 2 : size - 0.5)
        } / Double(own.count)
    }

    @Test(
        "Where what was sold is half noise, a teacher who saw clearly is worth more than the truth")
    func noisyTruth() throws {
        let clean = SalesFixture(days: 800, stores: 1, items: 2).series
        var noisy = clean
        var noise = Noise(state: 77)
        for index in noisy.indices {
            for day in 0..<740 {
                let units = Double(noisy[index].days[day].units ?? 0)
                noisy[index].days[day].units = Int32(units * 3 * noise.uniform() * noise.uniform())
            }
        }
        var plan = TrainingSessionTests.plan(.calendar)
        (plan.epochs, plan.batch) = (12, 64)
        let school = try TrainingSession(series: clean, plan: plan)
        let teacher = try school.fit(FitRequest(shape: school.shape(units: 8), plan: school.plan))
        let session = try TrainingSession(series: noisy, plan: plan)
        func wape(epochs: Int, _ teachers: [Teacher]) throws -> Double {
            var request = FitRequest(shape: session.shape(units: 4), plan: session.plan)
            request.epochs = epochs
            if !teachers.isEmpty {
                request.distillation = Distillation(teachers: teachers, truthWeight: 0)
            }
            return try #require(try session.fit(request).test?.wape)
        }
        let taught = try wape(
            epochs: 12, [Teacher(session: school, parameters: teacher.parameters)])
        #expect(taught < (try wape(epochs: 0, [])))
        #expect(taught < (try wape(epochs: 12, [])))
    }

    @Test("A teacher may have another form, other inputs and another window")
    func otherForm() throws {
        let series = SalesFixture().series
        var plan = TrainingSessionTests.plan(.profile)
        plan.window = 40
        let tall = try TrainingSession(series: series, plan: plan)
        let teacher = try tall.fit(FitRequest(shape: tall.shape(units: 3), plan: tall.plan))
        let session = try TrainingSession(series: series, plan: TrainingSessionTests.plan(.plain))
        var request = FitRequest(shape: session.shape(units: 8), plan: session.plan)
        let untaught = try session.fit(request)
        // The profile knows the weekdays, and so may now the student.
        for kind in [Distillation.Kind.response, .features(weight: 1), .relations(weight: 1)] {
            request.distillation = Distillation(
                teachers: [Teacher(session: tall, parameters: teacher.parameters)],
                truthWeight: 0.2, kind: kind)
            let taught = try session.fit(request)
            #expect(taught.teacherDistances.count == taught.trainingLosses.count)
            #expect(try #require(taught.teacherDistances.last) < taught.teacherDistances[0])
            #expect(taught.parameters != untaught.parameters)
        }
    }

    @Test("A teacher's forecasts are of the student's own days")
    func sameDays() throws {
        var series = SalesFixture().series
        for day in 0..<300 { series[2].days[day].units = 0 }
        var plan = TrainingSessionTests.plan(.calendar)
        let session = try TrainingSession(series: series, plan: plan)
        let parameters = try session.fit(
            FitRequest(shape: session.shape(units: 3), plan: plan)
        ).parameters
        // The same network seen from a session with other padding: where the days agree, it is its own teacher, and
        // there is nothing to learn.
        plan.window = 63
        let other = try TrainingSession(series: series, plan: plan)
        var request = FitRequest(start: parameters, plan: session.plan)
        (request.epochs, request.learningRate, request.dropout) = (1, 1e-12, 0)
        request.distillation = Distillation(
            teachers: [Teacher(session: session, parameters: parameters)], truthWeight: 0)
        #expect(try session.fit(request).teacherDistances[0] < 1e-9)
        request.distillation?.teachers[0].session = other
        #expect(try session.fit(request).teacherDistances[0] < 0.01)
        request.distillation?.kind = .features(weight: 1)
        request.distillation?.teachers[0].session = session
        #expect(try session.fit(request).teacherDistances[0] < 1e-9)
        request.distillation?.kind = .relations(weight: 1)
        #expect(try session.fit(request).teacherDistances[0] < 1e-9)
    }

    @Test(
        "The same seed gives the same weights, and a network can be its own teacher",
        arguments: [Distillation.Kind.response, .features(weight: 1), .relations(weight: 1)])
    func bornAgain(kind: Distillation.Kind) throws {
        let school = try School(teacherUnits: 4)
        let distillation = Distillation(
            teachers: [school.teacher, school.teacher], truthWeight: 0.3, kind: kind)
        let again = try school.fit(distillation)
        #expect(try school.fit(distillation) == again)
        #expect(try #require(again.teacherDistances.last) < again.teacherDistances[0])
        #expect(again.parameters != school.teacher.parameters)
    }

    private static let refusals: [(field: String, change: @Sendable (inout Distillation) -> Void)] =
        [
            ("teachers", { $0.teachers = [] }),
            ("teachers", { $0.teachers = Array(repeating: $0.teachers[0], count: 17) }),
            ("truthWeight", { $0.truthWeight = 1.1 }), ("truthWeight", { $0.truthWeight = .nan }),
            ("kind", { $0.kind = .features(weight: -1) }),
            ("kind", { $0.kind = .relations(weight: .infinity) }),
        ]

    @Test("A lesson that cannot be taught is refused", arguments: refusals.indices)
    func refused(row: Int) throws {
        let school = try School(teacherUnits: 2, studentUnits: 2)
        var distillation = Distillation(teachers: [school.teacher])
        let (field, change) = Self.refusals[row]
        change(&distillation)
        #expect(throws: TrainingError.request(field: field)) { try school.fit(distillation) }
    }

    @Test("A teacher of other sales, of another last day or of other inputs is named")
    func foreignTeachers() throws {
        let school = try School(teacherUnits: 2, studentUnits: 2)
        let plan = school.session.plan
        var later = plan
        later.testFrom = SalesFixture.day(741)
        var fewer = SalesFixture().series
        fewer.removeLast()
        var sessions = [
            try TrainingSession(series: SalesFixture().series, plan: later),
            try TrainingSession(series: fewer, plan: plan),
            try TrainingSession(series: SalesFixture(days: 790).series, plan: plan),
        ]
        var narrow = plan
        narrow.inputs = [.weekday]
        sessions.append(try TrainingSession(series: SalesFixture().series, plan: narrow))
        for session in sessions {
            #expect(throws: TrainingError.teacher(index: 1)) {
                try school.fit(
                    Distillation(teachers: [
                        school.teacher,
                        Teacher(session: session, parameters: school.teacher.parameters),
                    ]))
            }
        }
        var broken = school.teacher
        broken.parameters.denseBias = .nan
        #expect(throws: TrainingError.teacher(index: 0)) {
            try school.fit(Distillation(teachers: [broken]))
        }
    }
}

@Suite("Hidden states compared")
struct HiddenMatchTests {
    private static let columns = 16

    /// `[H, B]` and `[rows, W]`, the student's windows in other rows than they come in.
    private struct States {
        var hidden: [Float]
        var teachers: [Float]
        var rows: [Int]

        init(units: Int, width: Int, windows: Int, columns: Int) {
            var noise = Noise(state: 5)
            func draw(_ count: Int) -> [Float] {
                (0..<count).map { _ in Float(noise.uniform() * 2 - 1) }
            }
            hidden = draw(units * columns)
            teachers = draw((windows + 3) * width)
            rows = (0..<windows).map { windows + 2 - $0 }
        }
    }

    @Test(
        "Features: gradients of states and projection are those of finite differences",
        arguments: [(4, 4), (3, 5), (6, 2)])
    func features(units: Int, width: Int) {
        let windows = 11
        let sizes = HiddenMatch.Sizes(units: units, width: width, columns: Self.columns)
        let match = HiddenMatch(sizes)
        var states = States(units: units, width: width, windows: windows, columns: Self.columns)
        var noise = Noise(state: 8)
        var projection = (0..<(sizes.needsProjection ? sizes.projectionCount : 0)).map { _ in
            Float(noise.uniform() - 0.5)
        }
        func loss() -> Double {
            states.hidden.withUnsafeBufferPointer {
                match.matchFeatures(
                    hidden: $0.baseAddress!, stride: Self.columns, rows: states.rows,
                    teachers: states.teachers, projection: projection, count: 20)
            } / 20
        }
        _ = loss()
        let (gradient, slopes) = (Array(match.gradient), match.projectionGradient)
        let step: Float = 0.01
        for k in states.hidden.indices {
            let value = states.hidden[k]
            states.hidden[k] = value + step
            let above = loss()
            states.hidden[k] = value - step
            let slope = (above - loss()) / Double(2 * step)
            states.hidden[k] = value
            #expect(abs(slope - Double(gradient[k])) < 1e-5)
            if k % Self.columns >= windows { #expect(gradient[k] == 0) }
        }
        #expect(slopes.count == projection.count)
        for k in projection.indices {
            let value = projection[k]
            projection[k] = value + step
            let above = loss()
            projection[k] = value - step
            let slope = (above - loss()) / Double(2 * step)
            projection[k] = value
            #expect(abs(slope - Double(slopes[k])) < 1e-5)
        }
    }

    @Test(
        "Relations: the gradient is that of finite differences, whatever the scale",
        arguments: [(4, 3, Float(1)), (1, 5, 0.01), (3, 3, 100)])
    func relations(units: Int, width: Int, scale: Float) {
        let windows = 11
        let match = HiddenMatch(
            HiddenMatch.Sizes(units: units, width: width, columns: Self.columns))
        var states = States(units: units, width: width, windows: windows, columns: Self.columns)
        for k in states.hidden.indices { states.hidden[k] *= scale }
        func loss() -> Double {
            states.hidden.withUnsafeBufferPointer {
                match.matchRelations(
                    hidden: $0.baseAddress!, stride: Self.columns, rows: states.rows,
                    teachers: states.teachers, count: 20)
            } / 20
        }
        let before = loss()
        #expect(before > 0.01)
        let gradient = Array(match.gradient)
        let step = 0.003 * scale
        for k in states.hidden.indices {
            let value = states.hidden[k]
            states.hidden[k] = value + step
            let above = loss()
            states.hidden[k] = value - step
            let slope = (above - loss()) / Double(2 * step)
            states.hidden[k] = value
            #expect(abs(slope - Double(gradient[k])) * Double(scale) < 1e-4)
        }
        // Twice as far apart is the same relation.
        for k in states.hidden.indices { states.hidden[k] *= 2 }
        #expect(abs(loss() - before) < 1e-6)
    }

    @Test("Many windows are compared in groups, and windows all alike leave nothing to compare")
    func groups() {
        let (units, windows) = (2, 300)
        let match = HiddenMatch(HiddenMatch.Sizes(units: units, width: 2, columns: 304))
        let states = States(units: units, width: 2, windows: windows, columns: 304)
        let sum = states.hidden.withUnsafeBufferPointer {
            match.matchRelations(
                hidden: $0.baseAddress!, stride: 304, rows: states.rows,
                teachers: states.teachers, count: windows)
        }
        #expect(sum > 0.01 * Double(windows) && sum < Double(windows))
        #expect(match.gradient.prefix(windows).allSatisfy { $0 != 0 })
        let alike = [Float](repeating: 0.25, count: units * 304)
        let none = alike.withUnsafeBufferPointer {
            match.matchRelations(
                hidden: $0.baseAddress!, stride: 304, rows: states.rows,
                teachers: states.teachers, count: windows)
        }
        #expect(none == 0 && match.gradient.allSatisfy { $0 == 0 })
    }
}
