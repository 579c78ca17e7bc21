import GRDB

extension SQLiteHubStore {
    static func addWaves(_ db: Database) throws {
        try db.execute(
            sql: """
                -- What was pushed before had no waves: every device had it at once.
                ALTER TABLE rollout ADD COLUMN release INTEGER CHECK (release >= 1);
                -- As JSON; null: at once.
                ALTER TABLE rollout ADD COLUMN policy TEXT;
                ALTER TABLE rollout ADD COLUMN state TEXT NOT NULL DEFAULT 'complete'
                    CHECK (state IN ('running', 'paused', 'aborted', 'complete'));
                ALTER TABLE rollout ADD COLUMN why TEXT NOT NULL DEFAULT '';
                ALTER TABLE rollout ADD COLUMN stateSince INTEGER NOT NULL DEFAULT 0;
                ALTER TABLE rollout ADD COLUMN waves TEXT NOT NULL DEFAULT '[]';
                ALTER TABLE rollout ADD COLUMN revision INTEGER NOT NULL DEFAULT 0
                    CHECK (revision >= 0);
                UPDATE rollout SET stateSince = createdAt;

                CREATE TABLE assignmentWithTrial (
                    deviceID INTEGER NOT NULL PRIMARY KEY REFERENCES device,
                    rolloutID INTEGER NOT NULL REFERENCES rollout,
                    digest BLOB REFERENCES package,
                    reason TEXT NOT NULL,
                    decidedAt INTEGER NOT NULL,
                    outcome TEXT CHECK (outcome IN ('active', 'refused', 'rolledBack', 'trial')),
                    outcomeReason TEXT,
                    outcomeAt INTEGER
                ) STRICT;
                INSERT INTO assignmentWithTrial SELECT * FROM assignment;
                DROP TABLE assignment;
                ALTER TABLE assignmentWithTrial RENAME TO assignment;
                CREATE INDEX assignmentOfRollout ON assignment (rolloutID);

                -- Where a device stands in a rollout. The primary key makes a repeated decision harmless; the index
                -- answers how many of a wave stand where.
                CREATE TABLE rolloutDevice (
                    rolloutID INTEGER NOT NULL REFERENCES rollout,
                    deviceID INTEGER NOT NULL REFERENCES device,
                    wave INTEGER NOT NULL CHECK (wave >= 0),
                    state TEXT NOT NULL CHECK (state IN ('waiting', 'assigned', 'trial', 'active',
                        'already', 'refused', 'goingBack', 'rolledBack', 'noFit', 'superseded')),
                    digest BLOB REFERENCES package,
                    reason TEXT NOT NULL DEFAULT '',
                    changedAt INTEGER,
                    told INTEGER NOT NULL DEFAULT 0 CHECK (told IN (0, 1)),
                    PRIMARY KEY (rolloutID, deviceID)
                ) STRICT, WITHOUT ROWID;
                CREATE INDEX rolloutDeviceState ON rolloutDevice (rolloutID, wave, state);
                CREATE INDEX rolloutOfDevice ON rolloutDevice (deviceID);
                INSERT INTO rolloutDevice
                    (rolloutID, deviceID, wave, state, digest, reason, changedAt)
                SELECT rolloutID, deviceID, 0,
                    CASE WHEN digest IS NULL THEN 'noFit' ELSE coalesce(outcome, 'assigned') END,
                    digest, reason, decidedAt
                FROM assignment;

                CREATE TABLE rolloutStore (
                    rolloutID INTEGER NOT NULL REFERENCES rollout,
                    storeID INTEGER NOT NULL REFERENCES store,
                    rolledBackAt INTEGER,
                    why TEXT NOT NULL DEFAULT '',
                    -- The last business day it had closed when a wave began to soak, and which wave that was.
                    soakAfterDay INTEGER,
                    soakWave INTEGER CHECK ((soakWave IS NULL) = (soakAfterDay IS NULL)),
                    -- The latest day with forecasts of both packages, and the latest judged.
                    pairsThrough INTEGER NOT NULL DEFAULT -1,
                    judgedThrough INTEGER NOT NULL DEFAULT -1,
                    worse INTEGER CHECK (worse IN (0, 1)),
                    verdict TEXT NOT NULL DEFAULT '',
                    PRIMARY KEY (rolloutID, storeID)
                ) STRICT, WITHOUT ROWID;
                CREATE INDEX rolloutOfStore ON rolloutStore (storeID);

                -- Of the package in trial, and whose it is; null: none.
                ALTER TABLE forecast ADD COLUMN candidateUnits REAL CHECK (candidateUnits >= 0);
                ALTER TABLE forecast ADD COLUMN candidateRollout INTEGER REFERENCES rollout;
                CREATE INDEX forecastInTrial ON forecast (deviceID, candidateRollout)
                    WHERE candidateRollout IS NOT NULL;

                CREATE TABLE audit (
                    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
                    at INTEGER NOT NULL,
                    author TEXT NOT NULL CHECK (length(author) BETWEEN 1 AND 128),
                    action TEXT NOT NULL CHECK (length(action) BETWEEN 1 AND 64),
                    object TEXT NOT NULL,
                    why TEXT NOT NULL CHECK (length(why) <= 1024)
                ) STRICT;
                CREATE TRIGGER auditIsNotChanged BEFORE UPDATE ON audit BEGIN
                    SELECT RAISE(ABORT, 'the audit log is only added to');
                END;
                CREATE TRIGGER auditIsNotDeleted BEFORE DELETE ON audit BEGIN
                    SELECT RAISE(ABORT, 'the audit log is only added to');
                END;

                CREATE TABLE user (
                    name TEXT NOT NULL PRIMARY KEY CHECK (length(name) BETWEEN 1 AND 64),
                    role TEXT NOT NULL CHECK (role IN ('operator', 'viewer')),
                    createdAt INTEGER NOT NULL
                ) STRICT;
                CREATE TABLE userToken (
                    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
                    userName TEXT NOT NULL REFERENCES user ON DELETE CASCADE,
                    sha256 BLOB NOT NULL UNIQUE CHECK (length(sha256) = 32),
                    createdAt INTEGER NOT NULL,
                    revokedAt INTEGER
                ) STRICT;
                CREATE INDEX userTokenOfUser ON userToken (userName);
                """)
    }
}
