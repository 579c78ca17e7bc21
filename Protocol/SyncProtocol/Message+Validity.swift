/// SPEC 4.3: what a value must be beyond its type. `FrameDecoder` gives out no message that breaks it,
/// so nobody behind it asks again.
extension Message {
    package func validate() throws(WireError) {
        switch self {
        case .hello(let hello): try hello.validate()
        case .joinRequest(let request):
            try check(request.secret.count == Limit.secretBytes, 1, .length)
            try check(!request.csrDer.isEmpty, 2, .length)
        case .joinReply(let reply): try reply.validate()
        case .register(let register):
            try register.running?.validate(in: 14)
            let digest = register.measured?.packageDigest ?? []
            try check(digest.isEmpty || digest.count == Limit.digestBytes, 16, .length)
        case .desiredState(let state): try state.validate()
        case .fetch(let fetch):
            try check(fetch.digest.count == Limit.digestBytes, 1, .length)
            try check(fetch.bytesMax > 0, 3, .range)
        case .chunk(let chunk): try chunk.validate()
        case .packageReport(let report):
            try check(report.digest.isEmpty || report.digest.count == Limit.digestBytes, 1, .length)
            try check(report.outcome != .unspecified, 2, .choice)
            try report.running?.validate(in: 5)
        case .upload(let upload): try upload.validate()
        case .context(let context): try context.validate()
        case .renewRequest(let request): try check(!request.csrDer.isEmpty, 1, .length)
        case .renewReply(let reply): try check(!reply.certificateDer.isEmpty, 1, .length)
        case .welcome(let welcome): try check(welcome.version > 0, 1, .range)
        case .metadata(let metadata):
            try check(!metadata.role.utf8.isEmpty, 1, .length)
            try check(metadata.version > 0, 2, .range)
            try check(!metadata.content.isEmpty, 3, .length)
        case .refusal, .noted, .uploadAck, .contextRequest, .ping, .pong, .goodbye,
            .farewell, .contextNotice:
            break
        }
    }
}

extension Hello {
    func validate() throws(WireError) {
        try check(versionMin > 0, 1, .range)
        try check(versionMax >= versionMin, 2, .range)
    }
}

extension JoinReply {
    func validate() throws(WireError) {
        try checkIdentifier(deviceId, 1)
        try check(!certificateDer.isEmpty, 2, .length)
        try check(!caDer.isEmpty, 3, .length)
        try checkIdentifier(store, 5)
        try check(!root.isEmpty, 8, .length)
    }
}

extension DesiredState {
    func validate() throws(WireError) {
        try check(trialDays <= Limit.trialDays, 20, .range)
        try check(windowFrom < Limit.minutesOfDay, 23, .range)
        try check(windowTo < Limit.minutesOfDay, 24, .range)
        try delta?.validate()
        switch desire {
        case .run:
            try check(digest.count == Limit.digestBytes, 25, .length)
            try check(!target.utf8.isEmpty, 30, .length)
        case .goBack: try check(digest.count == Limit.digestBytes, 25, .length)
        case .unspecified, .stayAsYouAre, .noFit, .unrecognized: break
        }
    }
}

extension DeltaOffer {
    func validate() throws(WireError) {
        try check(digest.count == Limit.digestBytes, 40, .length)
        try check(bytes > 0, 40, .range)
    }
}

extension RunningPackage {
    func validate(in field: Int) throws(WireError) {
        try check(digest.count == Limit.digestBytes, field, .length)
    }
}

extension Chunk {
    func validate() throws(WireError) {
        try check(digest.count == Limit.digestBytes, 1, .length)
        let (end, overflow) = offset.addingReportingOverflow(UInt64(content.count))
        try check(!overflow && end <= packageBytes, 2, .range)
    }
}

extension Upload {
    func validate() throws(WireError) {
        try check(firstSequence > 0 && firstSequence <= UInt64(Int64.max), 1, .range)
        try check(!records.isEmpty, 2, .length)
        for item in items { try checkIdentifier(item, 3) }
        var count = 0
        for record in records {
            if let rule = record.brokenRule { throw .recordInvalid(index: count, rule: rule) }
            count += record.count
            guard count <= Limit.recordsCount else {
                throw .elementsTooMany(field: 2, countMax: Limit.recordsCount)
            }
        }
    }
}

extension Record {
    var brokenRule: ValueRule? {
        switch self {
        case .sale(let sale), .returned(let sale):
            if !isDay(sale.day) { return .range }
            if !isIdentifier(sale.item) { return .identifier }
            return sale.units > 0 && sale.units <= Limit.saleUnits ? nil : .range
        case .close(let close): return isDay(close.day) ? nil : .range
        case .forecast(let forecast):
            if !isDay(forecast.day) { return .range }
            if !isIdentifier(forecast.item) { return .identifier }
            return isAmount(forecast.forecastUnits) && isAmount(forecast.levelUnits)
                && isAmount(forecast.candidateUnits) ? nil : .finite
        case .sales(let sales):
            if !isDay(sales.day) { return .range }
            return sales.sold.isEmpty ? .length : nil
        case .forecasts(let forecasts):
            if !isDay(forecasts.day) { return .range }
            return forecasts.brokenRule
        case .unknown: return .choice
        }
    }
}

extension ForecastsOfDay {
    fileprivate var brokenRule: ValueRule? {
        let count = forecastUnits.count
        guard count > 0, networkOutput.count == count else { return .length }
        for optional in [
            itemIndexes.count, actualUnits.count, levelUnits.count, inputsDigest.count,
        ] where optional != 0 && optional != count {
            return .length
        }
        guard candidateUnits.count == (candidate == 0 ? 0 : count) else { return .length }
        for units in forecastUnits where !isAmount(units) { return .finite }
        for level in levelUnits where !isAmount(level) { return .finite }
        for units in candidateUnits where !isAmount(units) { return .finite }
        return nil
    }
}

extension Context {
    func validate() throws(WireError) {
        for item in items { try checkIdentifier(item, 2) }
        for day in days {
            try checkDay(day.day, 3)
            for sold in day.sold { try check(sold.itemIndex < UInt32(items.count), 3, .index) }
            try check(day.itemGaps.isEmpty || day.itemGaps.count == day.units.count, 3, .length)
            // One form of the three.
            let forms = (day.sold.isEmpty ? 0 : 1) + (day.units.isEmpty ? 0 : 1)
            try check(forms + (day.ownItems == 0 ? 0 : 1) <= 1, 3, .choice)
        }
        for item in namedItems { try checkIdentifier(item, 7) }
        for level in levels {
            try check(level.itemIndex < UInt32(items.count), 4, .index)
            try checkAmount(level.levelUnits, 4)
            try checkDay(level.day, 4)
        }
        try checkAmount(ownShare, 5)
        try check(ownShare <= 1, 5, .range)
        try calendar?.validate()
    }
}

extension CalendarOfStore {
    func validate() throws(WireError) {
        try checkDay(firstDay, 8)
        try check(days <= UInt32(Limit.daysCount), 8, .range)
        try check(Int(firstDay) + Int(days) <= Int(Limit.dayMax) + 1, 8, .range)
        for item in items { try checkIdentifier(item, 8) }
        try forEachEntry { _ in }
    }
}

private func check(_ holds: Bool, _ field: Int, _ rule: ValueRule) throws(WireError) {
    guard holds else { throw .valueInvalid(field: field, rule: rule) }
}

private func checkDay(_ day: Int32, _ field: Int) throws(WireError) {
    try check(isDay(day), field, .range)
}

private func checkAmount(_ amount: Float, _ field: Int) throws(WireError) {
    try check(isAmount(amount), field, .finite)
}

private func checkIdentifier(_ text: String, _ field: Int) throws(WireError) {
    try check(isIdentifier(text), field, .identifier)
}

private func isDay(_ day: Int32) -> Bool { day >= 0 && day <= Limit.dayMax }

private func isAmount(_ amount: Float) -> Bool { amount.isFinite && amount >= 0 }

/// SPEC 2: 1 to 32 printable ASCII characters without space, comma, quotes and backslash.
private func isIdentifier(_ text: String) -> Bool {
    let utf8 = text.utf8
    guard !utf8.isEmpty, utf8.count <= Limit.identifierBytes else { return false }
    for byte in utf8 {
        switch byte {
        case UInt8(ascii: ","), UInt8(ascii: "\""), UInt8(ascii: "'"), UInt8(ascii: "\\"):
            return false
        case 0x21...0x7E: break
        default: return false
        }
    }
    return true
}
