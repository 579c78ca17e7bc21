/// The fields of one form, each with its name, what to know of it, what was entered, and what is wrong with that. A reader of
/// the page hears the latter two with the field (WAI-ARIA, `aria-describedby`).
struct FormSheet {
    struct Option {
        var value: String
        var title: String

        init(_ value: String, _ title: String) {
            self.value = value
            self.title = title
        }
    }

    /// Of this form, in the page: its fields' ids begin with it.
    var id: String
    var state: FormState

    private func id(_ name: String) -> String { "\(id)-\(name)" }
    private func fault(of name: String) -> String? {
        state.fault.flatMap { $0.field == name ? $0.text : nil }
    }

    /// What is wrong with the form as a whole, or that something is wrong with a field.
    /// - Parameter names: of the fields that say what is wrong with them themselves.
    func head(_ names: [String]) -> Markup? {
        state.fault.map { fault in
            let isOfField = fault.field.map(names.contains) ?? false
            let text = isOfField ? "Nothing was changed: see below what is wrong." : fault.text
            return "<p class=\"fault\" role=\"alert\">\(text)</p>"
        }
    }

    // MARK: Fields

    /// - Parameters:
    ///   - attributes: written in the source: type, bounds, what browsers may fill in.
    ///   - isSecret: what was entered is not sent back, and has to be typed again.
    func line(
        _ name: String, _ label: String, _ attributes: Markup, note: Markup? = nil,
        isSecret: Bool = false
    ) -> Markup {
        let value: Markup? = isSecret ? nil : state.fields[name].map { " value=\"\($0)\"" }
        let note = isSecret && state.wasSent ? "It is not sent back: type it again." : note
        return field(name, label, "<input \(common(name, note))\(value) \(attributes)>", note)
    }

    func lines(
        _ name: String, _ label: String, _ attributes: Markup, note: Markup? = nil
    ) -> Markup {
        field(
            name, label,
            "<textarea \(common(name, note)) \(attributes)>\(state.fields[name] ?? "")</textarea>",
            note)
    }

    func choice(
        _ name: String, _ label: String, _ options: [Option], note: Markup? = nil
    ) -> Markup {
        field(name, label, select(name, options, common(name, note)), note)
    }

    /// A number and its unit, side by side.
    func amount(
        _ name: String, _ label: String, _ attributes: Markup, unit: String, _ units: [Option],
        standard: (amount: String, unit: String), note: Markup? = nil
    ) -> Markup {
        let value = state.fields[name] ?? (state.wasSent ? "" : standard.amount)
        return field(
            name, label,
            """
            <span class="pairing"><input \(common(name, note)) value="\(value)" \(attributes)>\
            \(select(unit, units, "name=\"\(unit)\" aria-label=\"Unit\"", standard: standard.unit))</span>
            """, note)
    }

    /// Boxes to tick.
    /// - Parameter boxes: name, title, and whether it is ticked at first.
    func ticks(_ name: String, _ label: String, _ boxes: [(String, String, Bool)]) -> Markup {
        let list: [Markup] = boxes.map { box, title, isStandard in
            let isOn = state.wasSent ? state.fields[box] != nil : isStandard
            let on: Markup? = isOn ? " checked" : nil
            return """
                <label><input type="checkbox" name="\(box)" value="yes"\(on)> \(title)</label>
                """
        }
        let wrong = fault(of: name)
        let described: Markup? = wrong.map { _ in " aria-describedby=\"\(id(name))-fault\"" }
        return """
            <fieldset\(described)><legend>\(label)</legend><div class="ticks">\(list)</div>\
            \(fault(name))</fieldset>
            """
    }

    // MARK: Pieces

    private func field(
        _ name: String, _ label: String, _ control: Markup, _ note: Markup?
    ) -> Markup {
        let known: Markup? = note.map { "<p class=\"note\" id=\"\(id(name))-note\">\($0)</p>" }
        return """
            <div class="field"><label for="\(id(name))">\(label)</label>\(control)\
            \(fault(name))\(known)</div>

            """
    }

    private func fault(_ name: String) -> Markup? {
        fault(of: name).map { "<p class=\"fault\" id=\"\(id(name))-fault\">\($0)</p>" }
    }

    /// The focus is where something is wrong.
    private func common(_ name: String, _ note: Markup?) -> Markup {
        let isWrong = fault(of: name) != nil
        let parts: [Markup] =
            (isWrong ? ["\(id(name))-fault"] : []) + (note == nil ? [] : ["\(id(name))-note"])
        let described: Markup? =
            parts.isEmpty ? nil : " aria-describedby=\"\(parts.joined(by: " "))\""
        let wrong: Markup? = isWrong ? " aria-invalid=\"true\" autofocus" : nil
        return "id=\"\(id(name))\" name=\"\(name)\"\(described)\(wrong)"
    }

    private func select(
        _ name: String, _ options: [Option], _ attributes: Markup, standard: String = ""
    ) -> Markup {
        let list: [Markup] = options.map { option in
            let chosen: Markup? =
                (state.fields[name] ?? standard) == option.value ? " selected" : nil
            return "<option value=\"\(option.value)\"\(chosen)>\(option.title)</option>"
        }
        return "<select \(attributes)>\(list)</select>"
    }
}
