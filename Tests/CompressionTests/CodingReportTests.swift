import Compression
import Forecasting
import ModelPackage
import Testing
import Training

/// Codings of networks that were really trained.
@Suite("Codings of trained networks")
struct CodingReportTests {
    private func package(_ quantizer: Quantizer) throws -> ModelPackage {
        let trained = try TrainedNetwork.calendar.get()
        return try PackageBuilder(
            family: trained.family, name: "f", series: trained.series, lineage: "test",
            quantizer: quantizer
        ).build(variant: 0, store: try StoreID("1"), release: 1).package
    }

    static let schemes: [(name: String, WeightScheme)] = [
        ("a scale for each row", WeightScheme(.integer(bits: 8))),
        ("one scale for each gate", WeightScheme(.integer(bits: 8), sharing: .gate)),
        ("four bits", WeightScheme(.integer(bits: 4))), ("ternary", WeightScheme(.ternary)),
        ("binary", WeightScheme(.binary)),
    ]

    @Test("Whatever the coding, a device runs the same network", arguments: schemes.indices)
    func sameNetwork(row: Int) throws {
        let package = try package(Quantizer(kernels: Self.schemes[row].1))
        for coding in TensorCoding.allCases {
            var coded = package
            let file = coded.encodeStatingArena(coding: coding)
            #expect(try ModelPackage.decode(file) == coded, "\(coding)")
            let engine = try Engine(file, budgetBytes: coded.manifest.arenaBytes + file.count)
            try engine.proveGoldenVectors(of: file)
        }
    }

    @Test("Each coding pays where it is meant to")
    func whatPays() throws {
        let reports = try Self.schemes.map {
            try CodingReport(of: package(Quantizer(kernels: $0.1)))
        }
        for (report, scheme) in zip(reports, Self.schemes) {
            #expect(report.rows.map(\.coding) == TensorCoding.allCases)
            for row in report.rows {
                #expect(row.fileBytes >= report[.smallest].fileBytes, "\(scheme.name)")
                #expect(row.networkBytes < row.fileBytes && row.decodeNanoseconds > 0)
            }
        }
        func bytes(_ scheme: Int, _ coding: TensorCoding) -> Int {
            reports[scheme][coding].networkBytes
        }
        // Rows that all reach to 127 say little; rows that share a scale have many small weights.
        #expect(bytes(0, .range) < bytes(0, .plain))
        #expect(bytes(1, .range) < bytes(1, .plain) * 97 / 100)
        #expect(bytes(1, .range) < bytes(1, .huffman))
        // 896 weights of half a byte instead of a whole one, of log2(3) bits, of one.
        #expect(bytes(2, .packed) < bytes(0, .plain) - 380)
        #expect(bytes(3, .packed) < bytes(2, .packed) - 250)
        #expect(bytes(4, .packed) < bytes(3, .packed) - 60)
        // Ternary weights are not equally likely, which range and Huffman codes use and packing cannot.
        #expect(bytes(3, .range) < bytes(3, .packed) && bytes(3, .range) < bytes(3, .huffman))
    }
}
