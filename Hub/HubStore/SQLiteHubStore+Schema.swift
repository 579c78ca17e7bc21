import GRDB

extension SQLiteHubStore {
    /// A shipped migration is never edited; tables and columns are named by literals here.
    ///
    /// Days are integers since 1970-01-01 in the store's own calendar, moments are milliseconds
    /// since 1970 UTC, digests are 32-byte blobs.
    static var migrator: DatabaseMigrator {
        var migrator = DatabaseMigrator()
        migrator.registerMigration("001 stores and sales", migrate: createSales)
        migrator.registerMigration("002 devices and uploads", migrate: createDevices)
        migrator.registerMigration("003 families, packages and rollouts", migrate: createPackages)
        migrator.registerMigration("004 what forecasts were made from", migrate: addForecastInputs)
        migrator.registerMigration("005 time limits of rollouts", migrate: addTimeLimits)
        migrator.registerMigration("006 returned units", migrate: takeReturns)
        migrator.registerMigration("007 sales folded on devices", migrate: addFoldedSales)
        migrator.registerMigration("008 numbers of contacts", migrate: addContactLines)
        migrator.registerMigration("009 waves, audit log, users", migrate: addWaves)
        migrator.registerMigration("010 the repository", migrate: addMetadata)
        migrator.registerMigration("011 no statements") { db in
            // The repository vouches for packages.
            try db.execute(
                sql: """
                    ALTER TABLE package DROP COLUMN statement;
                    ALTER TABLE package DROP COLUMN signature;
                    """)
        }
        migrator.registerMigration("012 metered links", migrate: addMeteredLinks)
        migrator.registerMigration("013 sums of the report", migrate: addReportTables)
        migrator.registerMigration("014 passwords and sessions", migrate: addSessions)
        migrator.registerMigration("015 watching", migrate: addWatching)
        migrator.registerMigration("016 autopilot and lineage", migrate: addAutopilot)
        migrator.registerMigration("017 calendar", migrate: addCalendar)
        migrator.registerMigration("018 compression's cost", migrate: addCompressionCost)
        migrator.registerMigration("019 uploads are kept once", migrate: dropUploadRecords)
        return migrator
    }

    /// What uploads add up to is kept: totals, closes, forecasts. A device's highest number makes a repetition harmless.
    private static func dropUploadRecords(_ db: Database) throws {
        // Else every page of what may be the largest table is written over with zeros, and twice.
        let erases = try Int.fetchOne(db, sql: "PRAGMA secure_delete") ?? 0
        try db.execute(sql: "PRAGMA secure_delete = 0")
        defer { try? db.execute(sql: "PRAGMA secure_delete = \(erases)") }
        try db.execute(sql: "DROP TABLE uploadRecord")
    }

    private static func takeReturns(_ db: Database) throws {
        try db.execute(
            sql: """
                -- kind: 1 sale, 2 close, 3 forecast, 4 return.
                CREATE TABLE uploadRecordWithReturns (
                    deviceID INTEGER NOT NULL REFERENCES device,
                    sequence INTEGER NOT NULL CHECK (sequence >= 1),
                    kind INTEGER NOT NULL CHECK (kind IN (1, 2, 3, 4)),
                    day INTEGER NOT NULL CHECK (day BETWEEN 0 AND 84005),
                    itemID INTEGER REFERENCES item CHECK ((itemID IS NULL) = (kind = 2)),
                    units INTEGER CHECK (kind NOT IN (1, 4) OR units BETWEEN 1 AND 1000000),
                    PRIMARY KEY (deviceID, sequence)
                ) STRICT, WITHOUT ROWID;
                INSERT INTO uploadRecordWithReturns
                SELECT deviceID, sequence, kind, day, itemID, units FROM uploadRecord;
                DROP TABLE uploadRecord;
                ALTER TABLE uploadRecordWithReturns RENAME TO uploadRecord;
                """)
    }

    private static func createSales(_ db: Database) throws {
        try db.execute(
            sql: """
                CREATE TABLE meta (
                    key TEXT NOT NULL PRIMARY KEY,
                    value INTEGER NOT NULL
                ) STRICT;
                CREATE TABLE store (
                    id INTEGER NOT NULL PRIMARY KEY,
                    name TEXT NOT NULL UNIQUE CHECK (length(name) BETWEEN 1 AND 32),
                    timeZone TEXT NOT NULL CHECK (length(timeZone) BETWEEN 1 AND 64),
                    revision INTEGER NOT NULL DEFAULT 0 CHECK (revision >= 0)
                ) STRICT;
                CREATE TABLE item (
                    id INTEGER NOT NULL PRIMARY KEY,
                    name TEXT NOT NULL UNIQUE CHECK (length(name) BETWEEN 1 AND 32)
                ) STRICT;
                CREATE TABLE series (
                    id INTEGER NOT NULL PRIMARY KEY,
                    storeID INTEGER NOT NULL REFERENCES store,
                    itemID INTEGER NOT NULL REFERENCES item,
                    UNIQUE (storeID, itemID)
                ) STRICT;
                -- An import and the devices each write their own column; an import counts where both did.
                CREATE TABLE dailySales (
                    seriesID INTEGER NOT NULL REFERENCES series,
                    day INTEGER NOT NULL CHECK (day BETWEEN 0 AND 84005),
                    importedUnits INTEGER CHECK (importedUnits >= 0),
                    uploadedUnits INTEGER CHECK (uploadedUnits >= 0),
                    PRIMARY KEY (seriesID, day)
                ) STRICT, WITHOUT ROWID;
                -- A day of a store that some device has closed or an import has filled.
                CREATE TABLE storeDay (
                    storeID INTEGER NOT NULL REFERENCES store,
                    day INTEGER NOT NULL CHECK (day BETWEEN 0 AND 84005),
                    revision INTEGER NOT NULL CHECK (revision >= 0),
                    imported INTEGER NOT NULL DEFAULT 0 CHECK (imported IN (0, 1)),
                    closers INTEGER NOT NULL DEFAULT 0 CHECK (closers >= 0),
                    closersAllDay INTEGER NOT NULL DEFAULT 0
                        CHECK (closersAllDay BETWEEN 0 AND closers),
                    PRIMARY KEY (storeID, day)
                ) STRICT, WITHOUT ROWID;
                """)
    }

    private static func createDevices(_ db: Database) throws {
        try db.execute(
            sql: """
                CREATE TABLE token (
                    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
                    secretSHA256 BLOB NOT NULL UNIQUE CHECK (length(secretSHA256) = 32),
                    storeID INTEGER NOT NULL REFERENCES store,
                    labels TEXT NOT NULL,
                    createdAt INTEGER NOT NULL,
                    expiresAt INTEGER NOT NULL,
                    usesMax INTEGER NOT NULL CHECK (usesMax > 0),
                    uses INTEGER NOT NULL DEFAULT 0 CHECK (uses BETWEEN 0 AND usesMax),
                    approves INTEGER NOT NULL CHECK (approves IN (0, 1)),
                    revokedAt INTEGER
                ) STRICT;
                CREATE TABLE device (
                    id INTEGER NOT NULL PRIMARY KEY,
                    name TEXT NOT NULL UNIQUE CHECK (length(name) BETWEEN 1 AND 32),
                    storeID INTEGER NOT NULL REFERENCES store,
                    status TEXT NOT NULL CHECK (status IN ('pending', 'approved', 'revoked')),
                    labels TEXT NOT NULL,
                    reportedLabels TEXT NOT NULL DEFAULT '',
                    tokenID INTEGER NOT NULL REFERENCES token,
                    joinedAt INTEGER NOT NULL,
                    lastSeenAt INTEGER,
                    certificateSHA256 BLOB CHECK (length(certificateSHA256) = 32),
                    certificateExpiresAt INTEGER,
                    capabilities TEXT,
                    runningDigest BLOB CHECK (length(runningDigest) = 32),
                    runningRelease INTEGER,
                    runningArenaBytes INTEGER,
                    activeSince INTEGER,
                    forecastsExpectedAfter INTEGER,
                    throughSequence INTEGER NOT NULL DEFAULT 0 CHECK (throughSequence >= 0)
                ) STRICT;
                CREATE INDEX deviceOfStore ON device (storeID);
                CREATE TABLE deviceEvent (
                    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
                    deviceID INTEGER NOT NULL REFERENCES device,
                    at INTEGER NOT NULL,
                    kind TEXT NOT NULL,
                    text TEXT NOT NULL CHECK (length(text) <= 1024)
                ) STRICT;
                CREATE INDEX deviceEventOfDevice ON deviceEvent (deviceID, id);
                -- What a device sent, word for word: its key makes a repeated upload harmless.
                CREATE TABLE uploadRecord (
                    deviceID INTEGER NOT NULL REFERENCES device,
                    sequence INTEGER NOT NULL CHECK (sequence >= 1),
                    kind INTEGER NOT NULL CHECK (kind IN (1, 2, 3)),
                    day INTEGER NOT NULL CHECK (day BETWEEN 0 AND 84005),
                    itemID INTEGER REFERENCES item CHECK ((itemID IS NULL) = (kind = 2)),
                    units INTEGER CHECK (kind <> 1 OR units BETWEEN 1 AND 1000000),
                    PRIMARY KEY (deviceID, sequence)
                ) STRICT, WITHOUT ROWID;
                CREATE TABLE deviceDay (
                    deviceID INTEGER NOT NULL REFERENCES device,
                    day INTEGER NOT NULL CHECK (day BETWEEN 0 AND 84005),
                    units INTEGER NOT NULL DEFAULT 0 CHECK (units >= 0),
                    closedAllDay INTEGER CHECK (closedAllDay IN (0, 1)),
                    PRIMARY KEY (deviceID, day)
                ) STRICT, WITHOUT ROWID;
                CREATE TABLE forecast (
                    deviceID INTEGER NOT NULL REFERENCES device,
                    itemID INTEGER NOT NULL REFERENCES item,
                    day INTEGER NOT NULL CHECK (day BETWEEN 0 AND 84005),
                    units REAL NOT NULL CHECK (units >= 0),
                    networkOutput INTEGER NOT NULL,
                    release INTEGER NOT NULL,
                    actualUnits INTEGER NOT NULL CHECK (actualUnits >= 0),
                    inputsComplete INTEGER NOT NULL CHECK (inputsComplete IN (0, 1)),
                    PRIMARY KEY (deviceID, itemID, day)
                ) STRICT, WITHOUT ROWID;
                """)
    }

    private static func addForecastInputs(_ db: Database) throws {
        try db.execute(
            sql: """
                -- 0: the device did not say.
                ALTER TABLE forecast ADD COLUMN level REAL NOT NULL DEFAULT 0 CHECK (level >= 0);
                ALTER TABLE forecast ADD COLUMN inputsDigest INTEGER NOT NULL DEFAULT 0;
                """)
    }

    private static func addTimeLimits(_ db: Database) throws {
        try db.execute(
            sql: "ALTER TABLE rollout ADD COLUMN nanosecondsMax INTEGER CHECK (nanosecondsMax > 0)")
    }

    private static func addMeteredLinks(_ db: Database) throws {
        try db.execute(
            sql: """
                -- What an update may fetch over a link that is paid for by the byte; 0: what each device allows.
                ALTER TABLE rollout ADD COLUMN meteredBytesMax INTEGER NOT NULL DEFAULT 0
                    CHECK (meteredBytesMax >= 0);
                """)
    }

    private static func addFoldedSales(_ db: Database) throws {
        try db.execute(
            sql: """
                ALTER TABLE device ADD COLUMN foldedSales INTEGER NOT NULL DEFAULT 0
                    CHECK (foldedSales >= 0);
                """)
    }

    private static func addContactLines(_ db: Database) throws {
        // What tells the device from its copies, as JSON; null until it registers with a number.
        try db.execute(sql: "ALTER TABLE device ADD COLUMN contactLine TEXT")
    }

    private static func createPackages(_ db: Database) throws {
        try db.execute(
            sql: """
                CREATE TABLE family (
                    name TEXT NOT NULL PRIMARY KEY CHECK (length(name) BETWEEN 1 AND 64),
                    createdAt INTEGER NOT NULL,
                    form TEXT NOT NULL,
                    snapshotDigest TEXT NOT NULL,
                    seed INTEGER NOT NULL,
                    asOf INTEGER NOT NULL,
                    summary TEXT NOT NULL,
                    trained BLOB NOT NULL
                ) STRICT;
                CREATE TABLE package (
                    digest BLOB NOT NULL PRIMARY KEY CHECK (length(digest) = 32),
                    family TEXT NOT NULL REFERENCES family,
                    variant TEXT NOT NULL CHECK (length(variant) BETWEEN 1 AND 64),
                    storeID INTEGER REFERENCES store,
                    release INTEGER NOT NULL CHECK (release >= 1),
                    packageBytes INTEGER NOT NULL CHECK (packageBytes > 0),
                    arenaBytes INTEGER NOT NULL CHECK (arenaBytes > 0),
                    parameterCount INTEGER NOT NULL CHECK (parameterCount >= 0),
                    requiredFeatures TEXT NOT NULL,
                    wape REAL NOT NULL,
                    mape REAL NOT NULL,
                    bias REAL NOT NULL,
                    floatWAPE REAL NOT NULL,
                    floatMAPE REAL NOT NULL,
                    statement BLOB NOT NULL,
                    signature BLOB NOT NULL CHECK (length(signature) = 64),
                    createdAt INTEGER NOT NULL
                ) STRICT;
                CREATE INDEX packageOfFamily ON package (family, release);
                CREATE TABLE rollout (
                    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
                    family TEXT NOT NULL REFERENCES family,
                    selector TEXT NOT NULL,
                    createdAt INTEGER NOT NULL
                ) STRICT;
                CREATE TABLE assignment (
                    deviceID INTEGER NOT NULL PRIMARY KEY REFERENCES device,
                    rolloutID INTEGER NOT NULL REFERENCES rollout,
                    digest BLOB REFERENCES package,
                    reason TEXT NOT NULL,
                    decidedAt INTEGER NOT NULL,
                    outcome TEXT CHECK (outcome IN ('active', 'refused', 'rolledBack')),
                    outcomeReason TEXT,
                    outcomeAt INTEGER
                ) STRICT;
                CREATE INDEX assignmentOfRollout ON assignment (rolloutID);
                """)
    }
}
