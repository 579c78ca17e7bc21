import GRDB

extension SQLiteHubStore {
    static func addWatching(_ db: Database) throws {
        try db.execute(
            sql: """
                -- WatchedDay of each day with forecasts; made with the report's sums (ReportKeeper).
                CREATE TABLE reportStoreDay (
                    storeID INTEGER NOT NULL REFERENCES store,
                    day INTEGER NOT NULL CHECK (day BETWEEN 0 AND 84005),
                    release INTEGER NOT NULL,
                    forecasts REAL NOT NULL CHECK (forecasts >= 0),
                    forecastUnits REAL NOT NULL CHECK (forecastUnits >= 0),
                    actualUnits REAL NOT NULL CHECK (actualUnits >= 0),
                    absoluteErrorUnits REAL NOT NULL CHECK (absoluteErrorUnits >= 0),
                    comparableErrorUnits REAL NOT NULL CHECK (comparableErrorUnits >= 0),
                    naiveErrorUnits REAL NOT NULL CHECK (naiveErrorUnits >= 0),
                    outOfStock REAL NOT NULL CHECK (outOfStock >= 0),
                    PRIMARY KEY (storeID, day)
                ) STRICT, WITHOUT ROWID;
                -- Grows with every change of the store's rows above, so that a look reads what changed alone.
                CREATE TABLE watchedStore (
                    storeID INTEGER NOT NULL PRIMARY KEY REFERENCES store,
                    revision INTEGER NOT NULL
                ) STRICT;
                INSERT OR REPLACE INTO meta (key, value) VALUES ('reportIsToBeRebuilt', 1);

                -- The longest time between two contacts, forgotten little by little.
                ALTER TABLE device ADD COLUMN longestGapSeconds INTEGER NOT NULL DEFAULT 0
                    CHECK (longestGapSeconds >= 0);
                -- What the model might use before the device allowed less, and when that was seen.
                ALTER TABLE device ADD COLUMN budgetBeforeBytes INTEGER;
                ALTER TABLE device ADD COLUMN budgetShrankAt INTEGER
                    CHECK ((budgetShrankAt IS NULL) = (budgetBeforeBytes IS NULL));

                CREATE TABLE alert (
                    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
                    kind TEXT NOT NULL,
                    subject TEXT NOT NULL CHECK (length(subject) BETWEEN 1 AND 64),
                    severity TEXT NOT NULL CHECK (severity IN ('info', 'warn', 'page')),
                    state TEXT NOT NULL CHECK (state IN ('open', 'acknowledged', 'resolved')),
                    title TEXT NOT NULL CHECK (length(title) <= 256),
                    detail TEXT NOT NULL CHECK (length(detail) <= 4096),
                    -- One word for each.
                    stores TEXT NOT NULL,
                    storeCount INTEGER NOT NULL CHECK (storeCount >= 0),
                    since INTEGER,
                    grouped INTEGER NOT NULL DEFAULT 0 CHECK (grouped IN (0, 1)),
                    openedAt INTEGER NOT NULL,
                    seenAt INTEGER NOT NULL,
                    changedAt INTEGER NOT NULL,
                    openings INTEGER NOT NULL CHECK (openings >= 1),
                    sentAt INTEGER,
                    notices INTEGER NOT NULL CHECK (notices >= 0),
                    acknowledgedBy TEXT,
                    acknowledgedAt INTEGER,
                    resolvedWhy TEXT NOT NULL DEFAULT '' CHECK (length(resolvedWhy) <= 1024),
                    resolvedBy TEXT,
                    revision INTEGER NOT NULL DEFAULT 1
                ) STRICT;
                -- Of a kind and subject, one at most.
                CREATE UNIQUE INDEX alertStanding ON alert (kind, subject) WHERE state <> 'resolved';
                CREATE INDEX alertOfState ON alert (state, id);
                CREATE TABLE alertEvent (
                    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
                    alertID INTEGER NOT NULL REFERENCES alert ON DELETE CASCADE,
                    at INTEGER NOT NULL,
                    author TEXT NOT NULL,
                    what TEXT NOT NULL,
                    text TEXT NOT NULL CHECK (length(text) <= 1024)
                ) STRICT;
                CREATE INDEX alertEventOfAlert ON alertEvent (alertID, id);
                CREATE TABLE alertSilence (
                    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
                    kind TEXT,
                    subject TEXT,
                    fromAt INTEGER NOT NULL,
                    untilAt INTEGER NOT NULL,
                    author TEXT NOT NULL,
                    why TEXT NOT NULL CHECK (length(why) <= 1024)
                ) STRICT;

                CREATE TABLE alertDestination (
                    name TEXT NOT NULL PRIMARY KEY CHECK (length(name) BETWEEN 1 AND 64),
                    channel TEXT NOT NULL,
                    severities TEXT NOT NULL,
                    isToldOfEnds INTEGER NOT NULL CHECK (isToldOfEnds IN (0, 1)),
                    secret BLOB CHECK (length(secret) BETWEEN 1 AND 1024),
                    createdAt INTEGER NOT NULL
                ) STRICT;
                -- What is sent, the same to everybody. Of an alert that may be forgotten meanwhile.
                CREATE TABLE alertNotice (
                    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
                    alertID INTEGER NOT NULL,
                    severity TEXT NOT NULL CHECK (severity IN ('info', 'warn', 'page')),
                    payload TEXT NOT NULL,
                    createdAt INTEGER NOT NULL
                ) STRICT;
                CREATE TABLE alertDelivery (
                    noticeID INTEGER NOT NULL REFERENCES alertNotice ON DELETE CASCADE,
                    destination TEXT NOT NULL REFERENCES alertDestination ON DELETE CASCADE,
                    state TEXT NOT NULL CHECK (state IN ('waiting', 'sent', 'dead')),
                    attempts INTEGER NOT NULL CHECK (attempts >= 0),
                    at INTEGER NOT NULL,
                    problem TEXT NOT NULL DEFAULT '' CHECK (length(problem) <= 512),
                    PRIMARY KEY (noticeID, destination)
                ) STRICT, WITHOUT ROWID;
                CREATE INDEX alertDeliveryOfState ON alertDelivery (state, at);
                """)
    }
}
