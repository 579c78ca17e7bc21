import COpenBLAS
import Dispatch
import Foundation

/// The halves of a batch, worked on side by side where the matrix library allows it.
enum Shards {
    /// Always two, whatever the number of cores: sums are then added in the same order everywhere.
    static let count = 2

    /// Whether OpenBLAS may be called from two threads at once. A build of it without threads hands the same
    /// scratch memory to both: one training in four then gave other weights than the rest.
    private static let mayRunTogether: Bool = {
        // The halves are our own parallelism; products of this size gain nothing by more threads.
        openblas_set_num_threads(1)
        return openblas_get_parallel() != 0
    }()
    private static let oneAtATime = NSLock()

    /// Calls `work` for every shard, and returns when all are done.
    static func perform(_ work: @Sendable (Int) -> Void) {
        if mayRunTogether {
            DispatchQueue.concurrentPerform(iterations: count, execute: work)
        } else {
            oneAtATime.withLock { for shard in 0..<count { work(shard) } }
        }
    }
}
