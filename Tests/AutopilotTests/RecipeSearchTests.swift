import Autopilot
import Compression
import Forecasting
import Testing
import Training

@Suite("Autopilot: searching a recipe") struct RecipeSearchTests {
    /// As many trials as are begun until one of them can have been followed to its end.
    private static func search(
        _ sales: SalesOfStores, through last: Int, fileBytesMax: Int, trialsMax: Int = 24
    ) throws -> Recipe? {
        var plan = TrainingPlan(form: .profile, units: [1], seed: 3)
        plan.epochs = 1
        let family = try train(series: try sales.series(), plan: plan)
        var trials = 0
        return try RecipeSearch(
            series: try sales.series(), through: SalesOfStores.day(last), champion: family,
            limits: ModelLimits(fileBytesMax: fileBytesMax), seed: 3
        ).recipe(
            progress: { trials = $0 }, isOver: { trials >= trialsMax }, isCancelled: { false })
    }

    @Test("It finds what keeps the limits, and knows nothing of the days it is tested on")
    func found() throws {
        let sales = SalesOfStores(days: 220, stores: 2, items: 3)
        let recipe = try #require(try Self.search(sales, through: 199, fileBytesMax: 2000))
        #expect(recipe.architecture != nil)
        var later = sales
        later.shifts["1"] = (from: 200, by: 9)
        #expect(try Self.search(later, through: 199, fileBytesMax: 2000) == recipe)
        #expect(try Self.search(sales, through: 199, fileBytesMax: 10) == nil)
    }

    @Test("Cancelled it says so, however much it has found")
    func cancelled() throws {
        let sales = SalesOfStores(days: 120, stores: 1, items: 3)
        var plan = TrainingPlan(form: .profile, units: [1], seed: 3)
        plan.epochs = 1
        let series = try sales.series()
        let family = try train(series: series, plan: plan)
        #expect(throws: TrainingError.cancelled) {
            try RecipeSearch(
                series: series, through: SalesOfStores.day(119), champion: family,
                limits: ModelLimits(), seed: 3
            ).recipe(progress: { _ in }, isOver: { false }, isCancelled: { true })
        }
    }
}
