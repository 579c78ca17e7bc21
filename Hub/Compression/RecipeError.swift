/// Why a recipe cannot be followed: which step, as it was written, and what to do.
package struct RecipeError: Error, Equatable, Sendable, CustomStringConvertible {
    /// 1-based; 0 for the recipe as a whole.
    package var step: Int
    /// The step as it was written.
    package var text: String
    package var problem: String

    package init(step: Int, text: String, problem: String) {
        self.step = step
        self.text = text
        self.problem = problem
    }

    package var description: String {
        step == 0 ? "the recipe: \(problem)" : "step \(step) '\(text)': \(problem)"
    }
}
