package import Forecasting
import Training

/// What a search may vary.
package struct SearchSpace: Equatable, Sendable {
    package var forms: [ModelForm]
    package var cells: [CellKind]
    package var units: [Int]
    package var windows: [Int]
    /// Steps after the architecture, as recipe text.
    package var tails: [String]

    /// Small enough to be gone through in minutes, wide enough to hold every kind of step that pays on small networks.
    package init(
        forms: [ModelForm] = [.profile, .calendar, .plain],
        cells: [CellKind] = CellKind.allCases, units: [Int] = [1, 2, 3, 4, 6, 8, 12, 16, 24, 32],
        windows: [Int] = [14, 7, 28], tails: [String] = Self.usualTails
    ) {
        self.forms = forms
        self.cells = cells
        self.units = units
        self.windows = windows
        self.tails = tails
    }

    package static let usualTails = [
        "int8", "qat int8", "qat int4", "prune 50% rounds=3 | qat int8",
        "codebook 16 | finetune | int8", "shrink 50% | finetune | qat int8",
        "distill from=lstm16 | qat int8", "lowrank 2 of=recurrent | finetune | int8",
        "qat ternary",
    ]

    package struct Candidate: Equatable, Hashable, Sendable {
        package var form: ModelForm
        package var cell: CellKind
        package var units: Int
        package var window: Int
        package var tail: String

        package var recipe: String {
            "\(cell.name)\(units) form=\(form.name) window=\(window) | \(tail)"
        }
    }

    /// What is tried first: of each form and cell a few sizes with the plainest tail, the smallest forms first.
    package var seeds: [Candidate] {
        var seeds: [Candidate] = []
        let sizes = units.enumerated().filter { $0.offset % 3 == 1 }.map(\.element)
        for size in sizes.isEmpty ? units : sizes {
            for form in forms {
                for cell in cells {
                    seeds.append(
                        Candidate(
                            form: form, cell: cell, units: size, window: windows[0], tail: tails[0])
                    )
                }
            }
        }
        return seeds
    }

    /// A candidate that differs from `parent` in one or two respects, the `number`-th one of it.
    func mutated(_ parent: Candidate, number: UInt64) -> Candidate {
        var chance = SeededRandom(seed: number)
        var child = parent
        for _ in 0..<(chance.below(3) == 0 ? 2 : 1) {
            switch chance.below(8) {
            case 0: child.form = chance.one(of: forms)
            case 1: child.cell = chance.one(of: cells)
            case 2, 3:
                let index = units.firstIndex(of: child.units) ?? 0
                let moved = index + (chance.below(2) == 0 ? -1 : 1)
                child.units = units[min(max(moved, 0), units.count - 1)]
            case 4: child.window = chance.one(of: windows)
            default: child.tail = chance.one(of: tails)
            }
        }
        return child
    }

    func random(number: UInt64) -> Candidate {
        var chance = SeededRandom(seed: number)
        return Candidate(
            form: chance.one(of: forms), cell: chance.one(of: cells), units: chance.one(of: units),
            window: chance.one(of: windows), tail: chance.one(of: tails))
    }
}

extension SeededRandom {
    fileprivate mutating func one<Element>(of values: [Element]) -> Element {
        values[below(values.count)]
    }
}
