/// What to do with the numbers of unsent records when the hub says how far it has come. A device that
/// lost its database, or a hub that was restored from a copy, must neither lose nor double a record.
package enum Numbering {
    /// One unsent record's number and the database that gave it. A database that follows a damaged one
    /// has a higher generation: its first numbers are guesses, and may be in use already.
    package struct Entry: Equatable, Sendable {
        package var sequence: UInt64
        package var generation: UInt64

        package init(sequence: UInt64, generation: UInt64) {
            self.sequence = sequence
            self.generation = generation
        }
    }

    package struct Plan: Equatable, Sendable {
        /// The hub has these: they can go.
        package var stored: [UInt64]
        /// Old number to new, in order; empty when nothing moves.
        package var renumbered: [(from: UInt64, to: UInt64)]
        /// The number of the next new record.
        package var next: UInt64

        package init(stored: [UInt64], renumbered: [(from: UInt64, to: UInt64)], next: UInt64) {
            self.stored = stored
            self.renumbered = renumbered
            self.next = next
        }

        package static func == (a: Plan, b: Plan) -> Bool {
            a.stored == b.stored && a.next == b.next
                && a.renumbered.elementsEqual(b.renumbered) { $0 == $1 }
        }
    }

    /// - Parameters:
    ///   - unsent: ascending by sequence.
    ///   - next: the number the next new record would get.
    ///   - confirmedGeneration: the newest generation whose numbering the hub has confirmed; numbers of
    ///     later ones are guesses.
    ///   - stored: the highest number the hub has; 0 when none.
    package static func reconcile(
        unsent: [Entry], next: UInt64, confirmedGeneration: UInt64, stored: UInt64
    ) -> Plan {
        var plan = Plan(stored: [], renumbered: [], next: stored + 1)
        for entry in unsent {
            // Only a number that the hub could have got from this very record proves it was stored.
            if entry.generation <= confirmedGeneration, entry.sequence <= stored {
                plan.stored.append(entry.sequence)
                continue
            }
            if entry.sequence != plan.next { plan.renumbered.append((entry.sequence, plan.next)) }
            plan.next += 1
        }
        return plan
    }
}
