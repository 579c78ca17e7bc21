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

    /// The network as it runs in a session. A session whose items do not differ in persistence has no column of it: it would
    /// be 0 in every row, and the network computes the same without its weights.
    /// - Parameter inputs: the columns that the session was asked for; it has them all but for persistence.
    /// - Precondition: `check` has passed for the session's form and these inputs.
    package func fitted(to session: TrainingSession, inputs: FeatureInputs) -> ImportedNetwork {
        guard inputs.contains(.persistence), !session.spec.inputs.contains(.persistence) else {
            return self
        }
        // Only holidays and promotions stand behind it.
        var columns = Array(0..<parameters.inputWidth).map(Optional.init)
        columns.remove(at: 1 + inputs.subtracting([.persistence, .planned]).columns)
        var narrow = self
        narrow.parameters = parameters.withInputs(columns)
        return narrow
    }

    /// A family of this one network, as accurate on the session's days as it is.
    /// - Precondition: it is `fitted` to the session, which has the network's window.
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
