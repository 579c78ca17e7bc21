import Forecasting
import Foundation
import Testing
import Training

@Suite("A stored family")
struct FamilyCodingTests {
    private static func family(_ form: ModelForm, testFrom: Int? = 340) throws -> TrainedFamily {
        var plan = TrainingPlan(
            form: form, units: [2, 3], testFrom: testFrom.map(SalesFixture.day))
        plan.epochs = 1
        return try train(series: SalesFixture(days: 400, level: 2).series, plan: plan)
    }

    @Test(
        "Comes back bit for bit, and the same family gives the same bytes",
        arguments: ModelForm.allCases, [340, nil])
    func roundTrip(form: ModelForm, testFrom: Int?) throws {
        let family = try Self.family(form, testFrom: testFrom)
        let data = try family.encoded()
        #expect(try TrainedFamily(encoded: data) == family)
        #expect(try TrainedFamily(encoded: data).encoded() == data)
    }

    @Test("Every cut-off is refused as damage")
    func truncated() throws {
        let data = try Self.family(.plain).encoded()
        for count in stride(from: 0, to: data.count, by: 97) {
            #expect(throws: FamilyCodingError.self) {
                try TrainedFamily(encoded: data.prefix(count))
            }
        }
    }

    @Test(
        "A value no training run gives is refused",
        arguments: [
            ("\"form\":\"profile\"", "\"form\":\"other\""), ("\"window\":14", "\"window\":0"),
            ("\"output\":3", "\"output\":9"), ("\"output\":3", "\"output\":1"),
            ("\"asOf\":\"2014-12-06\"", "\"asOf\":\"2014-13-06\""),
            ("\"units\":2", "\"units\":5"), ("\"units\":2", "\"units\":-1"),
            ("\"items\":[\"i1\"", "\"items\":[\"i 1\""), ("\"items\":[\"i1\",", "\"items\":["),
            ("\"zeroActualCount\":", "\"zeroActualCount\":-"),
        ])
    func field(old: String, new: String) throws {
        let text = String(decoding: try Self.family(.profile).encoded(), as: UTF8.self)
        let changed = text.replacingOccurrences(of: old, with: new)
        try #require(changed != text)
        #expect(throws: FamilyCodingError.self) {
            try TrainedFamily(encoded: Data(changed.utf8))
        }
    }

    @Test("A later version is named")
    func version() throws {
        let text = String(decoding: try Self.family(.plain).encoded(), as: UTF8.self)
        let later = text.replacingOccurrences(of: "\"version\":1", with: "\"version\":7")
        #expect(throws: FamilyCodingError.unknownVersion(7)) {
            try TrainedFamily(encoded: Data(later.utf8))
        }
    }
}
