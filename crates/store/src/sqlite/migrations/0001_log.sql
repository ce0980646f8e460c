-- The log and the receipts. Bodies stand in one append-ordered rowid table; what is looked up by
-- workspace, source or user is a narrow index beside it (clustering bodies by user measured 7 to 14
-- times slower). `user.id` and `topic.id` are numbers within one workspace each: a row that carries one
-- of them belongs to that workspace alone.

CREATE TABLE meta (
  name  TEXT PRIMARY KEY,   -- lineage: random id of this database; counter: of the last change, if no
  value INTEGER NOT NULL    -- entry; backup: 1 in a copy that was not opened for writing yet
) STRICT, WITHOUT ROWID;

CREATE TABLE workspace (
  id    INTEGER PRIMARY KEY,
  slug  TEXT    NOT NULL UNIQUE,
  epoch INTEGER NOT NULL,
  first INTEGER NOT NULL,   -- the oldest retained entry
  head  INTEGER NOT NULL,   -- floor of the head: exact once nothing is retained, else see entry
  crc   INTEGER NOT NULL    -- CRC-32C over epoch, first and head
) STRICT;

CREATE TABLE topic (
  id   INTEGER PRIMARY KEY, -- from 1: as a source, 0 is the workspace itself
  ws   INTEGER NOT NULL,
  name TEXT    NOT NULL,
  UNIQUE (ws, name)
) STRICT;

-- A user about whom anything is recorded, with the read state. Of the watermarks and the receipts above
-- or below them follows the unread count (see unread.rs).
CREATE TABLE user (
  id           INTEGER PRIMARY KEY,
  ws           INTEGER NOT NULL,
  name         TEXT    NOT NULL,
  rev          INTEGER NOT NULL,
  read_upto    INTEGER NOT NULL, -- read, unless a receipt says otherwise
  seen_upto    INTEGER NOT NULL, -- seen
  read_above   INTEGER NOT NULL, -- receipts with read above read_upto
  unread_below INTEGER NOT NULL, -- receipts without read at or below it
  above_seen   INTEGER NOT NULL, -- receipts above both watermarks
  crc          INTEGER NOT NULL, -- CRC-32C over ws and the numbers above
  UNIQUE (ws, name)
) STRICT;

CREATE TABLE entry (
  id     INTEGER PRIMARY KEY, -- number of the change in the whole database; never used again
  ws     INTEGER NOT NULL,
  seq    INTEGER NOT NULL,
  kind   INTEGER NOT NULL,    -- 1 notification, 2 retract, 3 subscribe, 4 unsubscribe, 5 grant, 6 withdraw
  at     INTEGER NOT NULL,    -- committed, milliseconds since 1970
  source INTEGER,             -- whom it reaches: a topic, 0 the workspace; NULL: named users, or no notification
  ord    INTEGER,             -- running number within the source
  uid    BLOB,                -- public id of a notification
  dead   INTEGER NOT NULL,    -- 1: retracted, the body is a tombstone
  body   BLOB    NOT NULL,    -- JSON
  crc    INTEGER NOT NULL     -- CRC-32C over all of the above
) STRICT;
CREATE UNIQUE INDEX entry_by_seq ON entry (ws, seq);
CREATE UNIQUE INDEX entry_by_source ON entry (ws, source, seq, ord, dead) WHERE source IS NOT NULL;
CREATE UNIQUE INDEX entry_by_uid ON entry (uid) WHERE uid IS NOT NULL;
CREATE INDEX entry_dead ON entry (ws, source, seq) WHERE dead = 1;

-- One row per user named by an entry: +1 in its audience; -1 in its exceptions, where the user would
-- otherwise see it. `balance` is the user's running sum, so that a range is a difference of two rows.
CREATE TABLE named (
  user    INTEGER NOT NULL,
  seq     INTEGER NOT NULL,
  delta   INTEGER NOT NULL,
  balance INTEGER NOT NULL,
  dead    INTEGER NOT NULL, -- 1: the entry was retracted
  PRIMARY KEY (user, seq)
) STRICT, WITHOUT ROWID;
CREATE INDEX named_dead ON named (user, seq, delta) WHERE dead = 1;

-- Stretches (from_seq, to_seq] of a topic's subscription and of access; to_seq is NULL while it lasts.
CREATE TABLE membership (
  user     INTEGER NOT NULL,
  topic    INTEGER NOT NULL,
  from_seq INTEGER NOT NULL,
  to_seq   INTEGER,
  PRIMARY KEY (user, topic, from_seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE access (
  user     INTEGER NOT NULL,
  from_seq INTEGER NOT NULL,
  to_seq   INTEGER,
  PRIMARY KEY (user, from_seq)
) STRICT, WITHOUT ROWID;

-- Who is subscribed now, by name.
CREATE TABLE subscriber (
  topic INTEGER NOT NULL,
  name  TEXT    NOT NULL,
  user  INTEGER NOT NULL,
  PRIMARY KEY (topic, name)
) STRICT, WITHOUT ROWID;

-- What a user did with one entry; it overrides the watermarks. Each was seen.
CREATE TABLE receipt (
  user     INTEGER NOT NULL,
  seq      INTEGER NOT NULL,
  ws       INTEGER NOT NULL,
  read     INTEGER NOT NULL,
  archived INTEGER NOT NULL,
  rev      INTEGER NOT NULL, -- of the change
  PRIMARY KEY (user, seq)
) STRICT, WITHOUT ROWID;
CREATE INDEX receipt_by_entry ON receipt (ws, seq);
CREATE INDEX receipt_unread ON receipt (user, seq) WHERE read = 0;
CREATE INDEX receipt_archived ON receipt (user, seq) WHERE archived = 1;

-- Retracted entries whose receipts are not all removed yet.
CREATE TABLE unsettled (
  ws  INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  PRIMARY KEY (ws, seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE idempotency (
  ws          INTEGER NOT NULL,
  publisher   TEXT    NOT NULL,
  key         TEXT    NOT NULL,
  fingerprint BLOB    NOT NULL,
  at          INTEGER NOT NULL,
  outcome     BLOB    NOT NULL,
  PRIMARY KEY (ws, publisher, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX idempotency_by_age ON idempotency (at);
