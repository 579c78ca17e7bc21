import Testing
import UpdateTrust

private func stated(
    digest: UInt8 = 1, packageBytes: UInt64 = 5_000, arenaBytes: UInt64 = 900, release: UInt64 = 7,
    family: String = "f1", variant: String = "lstm-4", store: String = ""
) throws(TrustError) -> StatedPackage {
    try StatedPackage(
        digest: [UInt8](repeating: digest, count: 32), packageBytes: packageBytes,
        arenaBytes: arenaBytes, release: release, family: family, variant: variant, store: store)
}

@Suite("A stated package")
struct StatedPackageTests {
    @Test("must state everything the checks stand on")
    func complete() throws {
        #expect(throws: TrustError.incomplete(.digest)) {
            try StatedPackage(
                digest: [UInt8](repeating: 1, count: 31), packageBytes: 1, arenaBytes: 1,
                release: 1, family: "f", variant: "v", store: "")
        }
        #expect(throws: TrustError.incomplete(.packageBytes)) {
            try stated(packageBytes: 0)
        }
        #expect(throws: TrustError.incomplete(.arenaBytes)) { try stated(arenaBytes: 0) }
        #expect(throws: TrustError.incomplete(.release)) { try stated(release: 0) }
        #expect(throws: TrustError.incomplete(.family)) { try stated(family: "") }
        #expect(throws: TrustError.incomplete(.variant)) { try stated(variant: "") }
    }

    struct Offer: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var package: StatedPackage
        var outcome: TrustError?
    }

    @Test(
        "is fetched only when it is for this store and fits",
        arguments: try [
            Offer(testDescription: "any store", package: stated(), outcome: nil),
            Offer(testDescription: "own store", package: stated(store: "12"), outcome: nil),
            Offer(
                testDescription: "other store", package: stated(store: "1"),
                outcome: .otherStore(stated: "1", own: "12")),
            Offer(
                testDescription: "a store that looks the same", package: stated(store: "12\u{0}"),
                outcome: .otherStore(stated: "12\u{0}", own: "12")),
            Offer(
                testDescription: "arena to the byte", package: stated(arenaBytes: 1_000),
                outcome: nil),
            Offer(
                testDescription: "arena one above", package: stated(arenaBytes: 1_001),
                outcome: .arenaAboveBudget(arenaBytes: 1_001, budgetBytes: 1_000)),
            Offer(
                testDescription: "length to the byte", package: stated(packageBytes: 10_000),
                outcome: nil),
            Offer(
                testDescription: "length of a liar", package: stated(packageBytes: .max),
                outcome: .packageTooLarge(packageBytes: .max, bytesMax: 10_000)),
            Offer(
                testDescription: "older", package: stated(release: 4),
                outcome: .olderRelease(stated: 4, accepted: 5)),
        ])
    func offer(_ offer: Offer) throws {
        var rollback = RollbackGuard()
        try rollback.accept(stated(digest: 200, release: 5))
        #expect(
            refusal {
                try offer.package.checkOffer(
                    store: "12", arenaBudgetBytes: 1_000, packageBytesMax: 10_000,
                    rollback: rollback)
            } == offer.outcome)
    }

    @Test("is only the file that was signed")
    func content() throws {
        let package = try stated(digest: 3, packageBytes: 40)
        var digest = [UInt8](repeating: 3, count: 32)
        try package.checkContent(bytes: 40, digest: digest)
        for count in [0, 39, 41] as [UInt64] {
            #expect(throws: TrustError.lengthDiffers(statedBytes: 40, receivedBytes: count)) {
                try package.checkContent(bytes: count, digest: digest)
            }
        }
        for bit in 0..<256 {
            digest[bit / 8] ^= 1 << UInt8(bit % 8)
            #expect(throws: TrustError.digestDiffers, "bit \(bit)") {
                try package.checkContent(bytes: 40, digest: digest)
            }
            digest[bit / 8] ^= 1 << UInt8(bit % 8)
        }
        #expect(throws: TrustError.digestDiffers) {
            try package.checkContent(bytes: 40, digest: [UInt8](digest.dropLast()))
        }
    }

    struct Manifest: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var arenaBytes: UInt64 = 900
        var release: UInt64 = 7
        var family = "f1"
        var variant = "lstm-4"
        var store: String? = "12"
        var differs: StatedField?
    }

    @Test(
        "agrees with its own manifest",
        arguments: [
            Manifest(testDescription: "equal"),
            Manifest(
                testDescription: "arena under-declared", arenaBytes: 901, differs: .arenaBytes),
            Manifest(testDescription: "arena over-declared", arenaBytes: 899, differs: .arenaBytes),
            Manifest(testDescription: "release", release: 8, differs: .release),
            Manifest(testDescription: "family", family: "f2", differs: .family),
            Manifest(testDescription: "variant", variant: "lstm-8", differs: .variant),
            Manifest(testDescription: "store", store: "13", differs: .store),
            Manifest(testDescription: "any store", store: nil, differs: .store),
        ])
    func manifest(_ row: Manifest) throws {
        let package = try stated(store: "12")
        #expect(
            refusal {
                try package.checkManifest(
                    arenaBytes: row.arenaBytes, release: row.release, family: row.family,
                    variant: row.variant, store: row.store)
            } == row.differs.map(TrustError.manifestDiffers))
    }

    @Test("for any store does not agree with a manifest for one")
    func manifestForOneStore() throws {
        let package = try stated(store: "")
        #expect(throws: TrustError.manifestDiffers(.store)) {
            try package.checkManifest(
                arenaBytes: 900, release: 7, family: "f1", variant: "lstm-4", store: "12")
        }
        try package.checkManifest(
            arenaBytes: 900, release: 7, family: "f1", variant: "lstm-4", store: nil)
    }
}

@Suite("The rollback guard")
struct RollbackGuardTests {
    struct Row: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var package: StatedPackage
        var outcome: TrustError?
    }

    @Test(
        "after release 7 of variant lstm-4",
        arguments: try [
            Row(testDescription: "takes the same package again", package: stated(), outcome: nil),
            Row(
                testDescription: "takes a newer release", package: stated(digest: 2, release: 8),
                outcome: nil),
            Row(
                testDescription: "takes a newer release of another family",
                package: stated(digest: 2, release: 8, family: "f2"), outcome: nil),
            Row(
                testDescription: "takes another size of the same build",
                package: stated(digest: 2, variant: "lstm-8"), outcome: nil),
            Row(
                testDescription: "refuses an older release", package: stated(digest: 2, release: 6),
                outcome: .olderRelease(stated: 6, accepted: 7)),
            Row(
                testDescription: "refuses an older release even with the accepted digest",
                package: stated(release: 6), outcome: .olderRelease(stated: 6, accepted: 7)),
            Row(
                testDescription: "refuses other content under the same release and variant",
                package: stated(digest: 2), outcome: .releaseReused(7)),
            Row(
                testDescription: "refuses another family under the same release",
                package: stated(digest: 2, family: "f2", variant: "lstm-8"),
                outcome: .releaseReused(7)),
        ])
    func afterSeven(_ row: Row) throws {
        var rollback = RollbackGuard()
        try rollback.accept(stated())
        let before = rollback
        #expect(refusal { try rollback.check(row.package) } == row.outcome)
        #expect(rollback == before)
        #expect(refusal { try rollback.accept(row.package) } == row.outcome)
        let kept = try row.outcome == nil ? row.package : stated()
        #expect(rollback.accepted?.digest == kept.digest)
        #expect(rollback.accepted?.release == kept.release)
    }

    @Test("goes back with a roll-back, to what runs again and no further")
    func fallBack() throws {
        var rollback = RollbackGuard()
        try rollback.accept(stated(release: 7))
        try rollback.accept(stated(digest: 2, release: 8))
        rollback.fallBack(to: try stated(release: 7))
        #expect(refusal { try rollback.check(try stated(release: 7)) } == nil)
        #expect(
            refusal { try rollback.check(try stated(digest: 3, release: 6)) }
                == .olderRelease(stated: 6, accepted: 7))
        #expect(
            refusal { try rollback.check(try stated(digest: 3, release: 7)) } == .releaseReused(7))
        try rollback.accept(stated(digest: 4, release: 9))
        #expect(rollback.accepted?.release == 9)
    }

    @Test("takes any release first")
    func first() throws {
        var rollback = RollbackGuard()
        try rollback.accept(stated(release: 1))
        #expect(rollback.accepted?.release == 1)
    }

    @Test("never goes down over any run of offers", arguments: [1, 2, 3] as [UInt64])
    func neverDown(seed: UInt64) throws {
        var rollback = RollbackGuard()
        var state = seed
        var highest: UInt64 = 0
        for _ in 0..<500 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            let package = try stated(
                digest: UInt8(state >> 60), release: 1 + state >> 40 % 30,
                variant: ["a", "b"][Int(state >> 33 & 1)])
            // A refusal is as good an outcome here as an acceptance: what counts is what is kept.
            _ = refusal { try rollback.accept(package) }
            let now = try #require(rollback.accepted).release
            #expect(now >= highest, "seed \(seed)")
            highest = now
        }
    }
}

@Test(
    "Every refusal tells the operator what was found and what was expected",
    arguments: [
        (TrustError.olderRelease(stated: 6, accepted: 7), ["6", "7", "new package"]),
        (.otherStore(stated: "1", own: "12"), ["store 1 ", "store 12"]),
        (.arenaAboveBudget(arenaBytes: 1_001, budgetBytes: 1_000), ["1001", "1000", "budget"]),
        (.lengthDiffers(statedBytes: 40, receivedBytes: 39), ["40", "39"]),
        (.packageTooLarge(packageBytes: 9, bytesMax: 8), ["9", "8"]),
        (.manifestDiffers(.arenaBytes), ["arena bytes"]),
        (.incomplete(.release), ["release"]),
        (.digestDiffers, ["SHA-256"]),
        (.releaseReused(7), ["7", "new release"]),
    ])
func explanations(error: TrustError, words: [String]) {
    for word in words { #expect(error.explanation.contains(word)) }
}

/// What `body` refused with; nil when it went through.
private func refusal(_ body: () throws -> Void) -> TrustError? {
    do {
        try body()
    } catch let error as TrustError {
        return error
    } catch {
        Issue.record(error)
    }
    return nil
}
