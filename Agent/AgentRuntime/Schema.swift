/// The tables of `agent.sqlite`. A migration that has shipped is never edited; the next one is appended.
/// Days are days since 1970-01-01 in the store's calendar, items their own text, digests SHA-256.
enum Schema {
    static let migrations = [
        """
        CREATE TABLE setting (
            name TEXT PRIMARY KEY NOT NULL,
            value BLOB NOT NULL
        ) WITHOUT ROWID;
        -- What the hub must be told, in order. A row goes when the hub has acknowledged it.
        -- kind: 1 sale, 2 close, 3 forecast. generation: of the database that numbered the row.
        CREATE TABLE outbox (
            sequence INTEGER PRIMARY KEY CHECK (sequence > 0),
            generation INTEGER NOT NULL CHECK (generation > 0),
            kind INTEGER NOT NULL,
            day INTEGER NOT NULL,
            item TEXT CHECK (item IS NULL OR length(item) BETWEEN 1 AND 32),
            units INTEGER,
            isClosedAllDay INTEGER CHECK (isClosedAllDay IN (0, 1)),
            forecastUnits REAL CHECK (forecastUnits >= 0),
            networkOutput INTEGER,
            release INTEGER,
            isComplete INTEGER CHECK (isComplete IN (0, 1)),
            CHECK (
                (kind = 1 AND item IS NOT NULL AND units BETWEEN 1 AND 1000000)
                OR (kind = 2 AND isClosedAllDay IS NOT NULL)
                OR (kind = 3 AND item IS NOT NULL AND units >= 0 AND forecastUnits IS NOT NULL
                    AND networkOutput IS NOT NULL AND release IS NOT NULL
                    AND isComplete IS NOT NULL))
        );
        CREATE TABLE saleReference (
            day INTEGER NOT NULL,
            reference BLOB NOT NULL CHECK (length(reference) BETWEEN 1 AND 64),
            item TEXT NOT NULL,
            units INTEGER NOT NULL CHECK (units > 0),
            PRIMARY KEY (day, reference)
        ) WITHOUT ROWID;
        -- What this device itself saw.
        CREATE TABLE ownDay (
            day INTEGER NOT NULL,
            item TEXT NOT NULL,
            units INTEGER NOT NULL CHECK (units > 0),
            PRIMARY KEY (day, item)
        ) WITHOUT ROWID;
        CREATE TABLE ownClose (
            day INTEGER PRIMARY KEY,
            isClosedAllDay INTEGER NOT NULL CHECK (isClosedAllDay IN (0, 1))
        );
        -- What the hub says of the whole store.
        CREATE TABLE storeDay (
            day INTEGER PRIMARY KEY,
            isClosedAllDay INTEGER NOT NULL CHECK (isClosedAllDay IN (0, 1)),
            isFinal INTEGER NOT NULL CHECK (isFinal IN (0, 1))
        );
        CREATE TABLE storeItemDay (
            day INTEGER NOT NULL,
            item TEXT NOT NULL,
            units INTEGER NOT NULL CHECK (units > 0),
            PRIMARY KEY (day, item)
        ) WITHOUT ROWID;
        CREATE TABLE itemLevel (
            item TEXT PRIMARY KEY NOT NULL,
            level REAL NOT NULL CHECK (level >= 0),
            day INTEGER NOT NULL
        ) WITHOUT ROWID;
        -- Where a level's recursion may start, so that older days can go.
        CREATE TABLE levelCheckpoint (
            item TEXT PRIMARY KEY NOT NULL,
            release INTEGER NOT NULL,
            day INTEGER NOT NULL,
            level REAL NOT NULL CHECK (level > 0)
        ) WITHOUT ROWID;
        CREATE TABLE forecast (
            day INTEGER NOT NULL,
            item TEXT NOT NULL,
            units REAL NOT NULL CHECK (units >= 0),
            networkOutput INTEGER NOT NULL,
            release INTEGER NOT NULL,
            isComplete INTEGER NOT NULL CHECK (isComplete IN (0, 1)),
            PRIMARY KEY (day, item)
        ) WITHOUT ROWID;
        CREATE TABLE packageSlot (
            slot INTEGER PRIMARY KEY CHECK (slot IN (1, 2)),
            digest BLOB NOT NULL UNIQUE CHECK (length(digest) = 32),
            statement BLOB NOT NULL,
            signature BLOB NOT NULL CHECK (length(signature) = 64),
            content BLOB NOT NULL
        );
        -- One row: where the update stands. phase: 0 idle, 1 fetching, 2 verified, 3 trial.
        CREATE TABLE updateState (
            id INTEGER PRIMARY KEY CHECK (id = 1),
            phase INTEGER NOT NULL CHECK (phase BETWEEN 0 AND 3),
            activeSlot INTEGER CHECK (activeSlot IN (1, 2)),
            digest BLOB CHECK (digest IS NULL OR length(digest) = 32),
            statement BLOB,
            signature BLOB,
            attempts INTEGER NOT NULL CHECK (attempts >= 0),
            CHECK (phase = 0 OR (digest IS NOT NULL AND statement IS NOT NULL AND signature IS NOT NULL))
        );
        INSERT INTO updateState (id, phase, attempts) VALUES (1, 0, 0);
        CREATE TABLE packageChunk (
            offset INTEGER PRIMARY KEY CHECK (offset >= 0),
            content BLOB NOT NULL CHECK (length(content) > 0)
        );
        -- Not tried again. budgetBytes: refused under this memory budget only. downloads: that did not
        -- match their digest, of which a few are tried.
        CREATE TABLE refusedPackage (
            digest BLOB PRIMARY KEY NOT NULL CHECK (length(digest) = 32),
            reason TEXT NOT NULL,
            budgetBytes INTEGER,
            downloads INTEGER NOT NULL DEFAULT 0
        ) WITHOUT ROWID;
        CREATE TABLE packageReport (
            digest BLOB PRIMARY KEY NOT NULL CHECK (length(digest) = 32),
            outcome INTEGER NOT NULL CHECK (outcome BETWEEN 1 AND 3),
            reason TEXT NOT NULL,
            arenaBytes INTEGER NOT NULL
        ) WITHOUT ROWID;
        """,
        """
        -- What a forecast was made from, for the hub to make it again. Both or none.
        ALTER TABLE outbox ADD COLUMN level REAL;
        ALTER TABLE outbox ADD COLUMN inputsDigest INTEGER;
        ALTER TABLE forecast ADD COLUMN level REAL;
        ALTER TABLE forecast ADD COLUMN inputsDigest INTEGER;
        """,
        """
        -- Of a sale, until it is taken over into saleReference: see AgentStore+Sales.swift.
        ALTER TABLE outbox ADD COLUMN reference BLOB
            CHECK (reference IS NULL OR length(reference) BETWEEN 1 AND 64);
        -- So far each sale was taken over at once.
        INSERT OR REPLACE INTO setting SELECT 'foldedThrough', ifnull(max(sequence), 0) FROM outbox;
        """,
        """
        -- From here on an outbox row of kind 2 that has an item and units is no close: the units came back.
        -- What was counted on the shelf. soldBefore: own units of that day until then. Null: the run's default.
        CREATE TABLE stock (
            item TEXT PRIMARY KEY NOT NULL CHECK (length(item) BETWEEN 1 AND 32),
            day INTEGER NOT NULL,
            units INTEGER NOT NULL CHECK (units BETWEEN 0 AND 100000000),
            soldBefore INTEGER NOT NULL CHECK (soldBefore >= 0),
            leadDays INTEGER,
            servicePercent INTEGER,
            multiple INTEGER
        ) WITHOUT ROWID;
        """,
        """
        -- Of a day's total: the sales in it. Null: a single sale.
        ALTER TABLE outbox ADD COLUMN sales INTEGER CHECK (sales IS NULL OR sales >= 0);
        -- Nothing is known of what a former program sent.
        INSERT OR REPLACE INTO setting SELECT 'sentThrough', ifnull(max(sequence), 0) FROM outbox;
        """,
        """
        -- Of a trial (phase 3). stage: 0 proving, 1 beside the active one, 2 due when its window opens. Days as everywhere; the window in
        -- minutes of the store's day, null: any time. What the hub allows has 0 for anything.
        ALTER TABLE updateState ADD COLUMN stage INTEGER NOT NULL DEFAULT 0 CHECK (stage BETWEEN 0 AND 2);
        ALTER TABLE updateState ADD COLUMN comparedDays INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE updateState ADD COLUMN besideSince INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE updateState ADD COLUMN besideThrough INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE updateState ADD COLUMN trialDays INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE updateState ADD COLUMN nanosecondsMax INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE updateState ADD COLUMN fetchBytesMax INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE updateState ADD COLUMN windowFrom INTEGER;
        ALTER TABLE updateState ADD COLUMN windowUntil INTEGER;
        ALTER TABLE updateState ADD COLUMN crashes INTEGER NOT NULL DEFAULT 0;
        -- What the candidate says of a day that the active package forecasts too.
        CREATE TABLE besideForecast (
            day INTEGER NOT NULL,
            item TEXT NOT NULL,
            units REAL NOT NULL CHECK (units >= 0),
            PRIMARY KEY (day, item)
        ) WITHOUT ROWID;
        -- Of a forecast: the candidate's, and its digest's first eight bytes.
        ALTER TABLE outbox ADD COLUMN besideUnits REAL;
        ALTER TABLE outbox ADD COLUMN besideDigest INTEGER;
        -- outcome: 1 active, 2 refused, 3 rolled back, 4 on trial.
        CREATE TABLE packageReportWithTrial (
            digest BLOB PRIMARY KEY NOT NULL CHECK (length(digest) = 32),
            outcome INTEGER NOT NULL CHECK (outcome BETWEEN 1 AND 4),
            reason TEXT NOT NULL,
            arenaBytes INTEGER NOT NULL
        ) WITHOUT ROWID;
        INSERT INTO packageReportWithTrial SELECT digest, outcome, reason, arenaBytes FROM packageReport;
        DROP TABLE packageReport;
        ALTER TABLE packageReportWithTrial RENAME TO packageReport;
        """,
        """
        -- Computed from the store's days.
        DROP TABLE itemLevel;
        """,
        """
        -- What the hub's repository signed, by role; root's is a file beside this one.
        CREATE TABLE metadata (
            role BLOB PRIMARY KEY NOT NULL,
            content BLOB NOT NULL
        );
        -- One row: what is trusted of it. Versions, 0 for none; seconds since 1970 UTC.
        CREATE TABLE trustState (
            id INTEGER PRIMARY KEY CHECK (id = 1),
            root INTEGER NOT NULL,
            timestamp INTEGER NOT NULL,
            snapshot INTEGER NOT NULL,
            targets INTEGER NOT NULL,
            rootExpires INTEGER NOT NULL,
            timestampExpires INTEGER NOT NULL,
            timestampSince INTEGER NOT NULL,
            proven INTEGER NOT NULL
        );
        INSERT INTO trustState VALUES (1, 0, 0, 0, 0, 0, 0, 0, 0);
        -- Of a package is kept what was signed of it, not by whom.
        CREATE TABLE packageSlotAsSigned (
            slot INTEGER PRIMARY KEY CHECK (slot IN (1, 2)),
            digest BLOB NOT NULL UNIQUE CHECK (length(digest) = 32),
            candidate BLOB NOT NULL,
            content BLOB NOT NULL
        );
        INSERT INTO packageSlotAsSigned SELECT slot, digest, statement, content FROM packageSlot;
        DROP TABLE packageSlot;
        ALTER TABLE packageSlotAsSigned RENAME TO packageSlot;
        CREATE TABLE updateStateAsSigned (
            id INTEGER PRIMARY KEY CHECK (id = 1),
            phase INTEGER NOT NULL CHECK (phase BETWEEN 0 AND 3),
            activeSlot INTEGER CHECK (activeSlot IN (1, 2)),
            digest BLOB CHECK (digest IS NULL OR length(digest) = 32),
            candidate BLOB,
            attempts INTEGER NOT NULL CHECK (attempts >= 0),
            stage INTEGER NOT NULL DEFAULT 0 CHECK (stage BETWEEN 0 AND 2),
            comparedDays INTEGER NOT NULL DEFAULT 0,
            besideSince INTEGER NOT NULL DEFAULT 0,
            besideThrough INTEGER NOT NULL DEFAULT 0,
            trialDays INTEGER NOT NULL DEFAULT 0,
            nanosecondsMax INTEGER NOT NULL DEFAULT 0,
            fetchBytesMax INTEGER NOT NULL DEFAULT 0,
            windowFrom INTEGER,
            windowUntil INTEGER,
            crashes INTEGER NOT NULL DEFAULT 0,
            CHECK (phase = 0 OR (digest IS NOT NULL AND candidate IS NOT NULL))
        );
        INSERT INTO updateStateAsSigned SELECT id, phase, activeSlot, digest, statement, attempts, stage,
            comparedDays, besideSince, besideThrough, trialDays, nanosecondsMax, fetchBytesMax, windowFrom,
            windowUntil, crashes FROM updateState;
        DROP TABLE updateState;
        ALTER TABLE updateStateAsSigned RENAME TO updateState;
        -- outcome: 5 nobody vouches for it now.
        CREATE TABLE packageReportWithTrust (
            digest BLOB PRIMARY KEY NOT NULL CHECK (length(digest) = 32),
            outcome INTEGER NOT NULL CHECK (outcome BETWEEN 1 AND 5),
            reason TEXT NOT NULL,
            arenaBytes INTEGER NOT NULL
        ) WITHOUT ROWID;
        INSERT INTO packageReportWithTrust SELECT digest, outcome, reason, arenaBytes FROM packageReport;
        DROP TABLE packageReport;
        ALTER TABLE packageReportWithTrust RENAME TO packageReport;
        """,
        """
        -- Of the hub: what an update may fetch over a link that is paid for by the byte; 0: what the device allows.
        ALTER TABLE updateState ADD COLUMN meteredBytesMax INTEGER NOT NULL DEFAULT 0;
        -- One row at most: how the wanted package comes, where there is more to say than its digest. digest, bytes and base are of the
        -- delta by which it comes, or 0; problem: why it comes by none any more. spent: bytes fetched in vain.
        CREATE TABLE packageDelta (
            id INTEGER PRIMARY KEY CHECK (id = 1),
            target BLOB NOT NULL CHECK (length(target) = 32),
            digest BLOB NOT NULL,
            bytes INTEGER NOT NULL CHECK (bytes >= 0),
            base INTEGER NOT NULL,
            problem TEXT,
            spent INTEGER NOT NULL CHECK (spent >= 0)
        );
        -- outcome: 5 not trusted, 6 on its way.
        CREATE TABLE packageReportOnTheWay (
            digest BLOB PRIMARY KEY NOT NULL CHECK (length(digest) = 32),
            outcome INTEGER NOT NULL CHECK (outcome BETWEEN 1 AND 6),
            reason TEXT NOT NULL,
            arenaBytes INTEGER NOT NULL
        ) WITHOUT ROWID;
        INSERT INTO packageReportOnTheWay SELECT digest, outcome, reason, arenaBytes FROM packageReport;
        DROP TABLE packageReport;
        ALTER TABLE packageReportOnTheWay RENAME TO packageReport;
        """,
        """
        -- Goods on their way to the shelf, by the day on which they are due.
        CREATE TABLE onOrder (
            item TEXT NOT NULL CHECK (length(item) BETWEEN 1 AND 32),
            due INTEGER NOT NULL,
            units INTEGER NOT NULL CHECK (units BETWEEN 1 AND 100000000),
            PRIMARY KEY (item, due)
        ) WITHOUT ROWID;
        """,
    ]

    /// What is copied out of a damaged database, table by table, as far as it can be read. Rows that
    /// break a check are left behind. The damaged one may be older: columns that it does not have are null.
    static let salvaged: [(read: StaticString, write: StaticString, columns: Int)] = [
        (
            "SELECT * FROM outbox ORDER BY sequence",
            """
            INSERT OR IGNORE INTO outbox (sequence, generation, kind, day, item, units,
                isClosedAllDay, forecastUnits, networkOutput, release, isComplete, level,
                inputsDigest, reference, sales, besideUnits, besideDigest)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            """, 17
        ),
        (
            "SELECT * FROM saleReference",
            "INSERT OR IGNORE INTO saleReference VALUES (?, ?, ?, ?)", 4
        ),
        ("SELECT * FROM ownDay", "INSERT OR IGNORE INTO ownDay VALUES (?, ?, ?)", 3),
        ("SELECT * FROM ownClose", "INSERT OR IGNORE INTO ownClose VALUES (?, ?)", 2),
        ("SELECT * FROM stock", "INSERT OR IGNORE INTO stock VALUES (?, ?, ?, ?, ?, ?, ?)", 7),
        ("SELECT * FROM onOrder", "INSERT OR IGNORE INTO onOrder VALUES (?, ?, ?)", 3),
        (
            "SELECT * FROM refusedPackage",
            "INSERT OR IGNORE INTO refusedPackage VALUES (?, ?, ?, ?)", 4
        ),
        ("SELECT * FROM metadata", "INSERT OR IGNORE INTO metadata VALUES (?, ?)", 2),
        (
            "SELECT * FROM trustState",
            "INSERT OR REPLACE INTO trustState VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", 9
        ),
    ]
}
