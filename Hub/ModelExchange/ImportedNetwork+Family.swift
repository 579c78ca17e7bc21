package import Forecasting
package import Training

extension ImportedNetwork {
    /// To be asked before a session is made, which costs.
    /// - Parameter inputs: the context columns of the form.
    /// - Throws: `notOurs` when the network's days have another number of inputs than the form's.
    package func check(form: ModelForm, inputs: FeatureInputs) throws(ExchangeError) {
        let width = 1 + inputs.columns
        guard parameters.inputWidth == width else {
            let columns = (["demand"] + inputs.groupNames).joined(separator: ", ")
            throw .notOurs(
                reason:
                    "the network has \(parameters.inputWidth) inputs a day, the form \(form.name) "
                    + "has \(width): \(columns)",
                advice: "say --form and --inputs as it was trained")
        }
    }

    /// A family of this one network, as accurate on the session's days as it is.
    /// - Precondition: `check` has passed for the session's form, and the session has the network's window.
    package func family(_ session: TrainingSession) -> TrainedFamily {
        precondition(session.spec.inputWidth == parameters.inputWidth)
        precondition(session.spec.window == window)
        let (cell, units) = (parameters.shape.cell, parameters.units)
        let kind = cell == .lstm ? "" : cell.name
        return session.family([
            TrainedVariant(
                name: "\(session.spec.form.name)-\(kind)\(units)",
                recipe: "onnx \(cell.name)\(units)", parameters: parameters, integer: nil,
                coding: nil, accuracies: session.evaluate(parameters))
        ])
    }
}
