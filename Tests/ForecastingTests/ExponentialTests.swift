import Forecasting
import Foundation
import Testing

@Suite("Our own exponential, logarithm and circle")
struct ExponentialTests {
    @Test("The exponential agrees with the C library to 4 units in the last place")
    func exponentials() {
        for k in -7000...7000 {
            let x = Double(k) / 10
            let exact = exp(x)
            #expect(abs(exponential(x) - exact) <= 4 * exact.ulp, "e^\(x)")
        }
        #expect(exponential(0.0) == 1)
        #expect(exponential(-800.0) == 0)
        #expect(exponential(800.0).isFinite)
        #expect(exponential(-Double.infinity) == 0)
        #expect(exponential(Double.nan).isNaN)
    }

    @Test("The logarithm agrees with the C library to 4 units in the last place of 1 or itself")
    func logarithms() {
        for k in 1...20_000 {
            for x in [Double(k) / 4096, Double(k) * 97] {
                let exact = log(x)
                #expect(abs(naturalLogarithm(x) - exact) <= 4 * max(abs(exact), 1).ulp, "ln \(x)")
            }
        }
        #expect(naturalLogarithm(1.0) == 0)
    }

    @Test("Sigmoid and tanh agree with the C library and end where they should")
    func activations() {
        for k in -400...400 {
            let x = Double(k) / 10
            #expect(abs(hyperbolicTangent(x) - tanh(x)) < 1e-15)
            #expect(abs(sigmoid(x) - 1 / (1 + exp(-x))) < 1e-15)
        }
        #expect(hyperbolicTangent(1e9) == 1 && hyperbolicTangent(-1e9) == -1)
        #expect(sigmoid(1e9) == 1 && sigmoid(-1e9) < 1e-300)
    }

    @Test("Sine and cosine agree with the C library all the way round")
    func circles() {
        for k in 0...1000 {
            let turns = Double(k) / 1000
            let (sine, cosine) = circle(turns: turns)
            #expect(abs(sine - sin(2 * .pi * turns)) < 1e-14)
            #expect(abs(cosine - cos(2 * .pi * turns)) < 1e-14)
        }
    }
}
