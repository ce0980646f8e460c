-- What becomes of a notification after it was published: it expires, or is superseded by a later one of its
-- key. A superseded one is dead to everybody who counts (entry.dead = 2, named.dead = 2), but its body stays
-- for those who had read it (docs/decisions/0010-supersede.md).

ALTER TABLE entry ADD COLUMN expires INTEGER;    -- when a notification is to be retracted; NULL: never, or it was
ALTER TABLE entry ADD COLUMN collapse BLOB;      -- digest of its key, audience and exceptions while it is live
ALTER TABLE entry ADD COLUMN superseded INTEGER; -- seq of the entry that superseded it, while dead = 2; in the crc

CREATE INDEX entry_by_expiry ON entry (expires, ws, seq) WHERE expires IS NOT NULL;
CREATE INDEX entry_by_collapse ON entry (ws, collapse, seq) WHERE collapse IS NOT NULL;
CREATE INDEX entry_superseded ON entry (ws, source, seq, superseded) WHERE superseded IS NOT NULL;
CREATE INDEX entry_by_successor ON entry (ws, superseded) WHERE superseded IS NOT NULL;

DROP INDEX entry_dead;
CREATE INDEX entry_dead ON entry (ws, source, seq) WHERE dead != 0;
DROP INDEX named_dead;
CREATE INDEX named_dead ON named (user, seq, delta) WHERE dead != 0;
CREATE INDEX named_superseded ON named (user, seq) WHERE dead = 2 AND delta > 0;

-- How much of each stretch of 1,024 places is dead and retained, so that a count need not step over each.
CREATE TABLE dead_bucket (
  ws     INTEGER NOT NULL,
  source INTEGER NOT NULL,
  bucket INTEGER NOT NULL, -- seq / 1024
  n      INTEGER NOT NULL, -- dead entries of the source in it
  PRIMARY KEY (ws, source, bucket)
) STRICT, WITHOUT ROWID;
INSERT INTO dead_bucket (ws, source, bucket, n)
  SELECT ws, source, seq / 1024, count(*) FROM entry
  WHERE dead != 0 AND source IS NOT NULL GROUP BY ws, source, seq / 1024;

CREATE TABLE named_dead_bucket (
  user   INTEGER NOT NULL,
  bucket INTEGER NOT NULL,
  n      INTEGER NOT NULL, -- the user's dead narrow rows in it
  delta  INTEGER NOT NULL, -- sum over them
  PRIMARY KEY (user, bucket)
) STRICT, WITHOUT ROWID;
INSERT INTO named_dead_bucket (user, bucket, n, delta)
  SELECT user, seq / 1024, count(*), sum(delta) FROM named WHERE dead != 0 GROUP BY user, seq / 1024;

-- Receipts of superseded entries, as they were then: out of the way of those that count.
CREATE TABLE kept (
  user     INTEGER NOT NULL,
  seq      INTEGER NOT NULL,
  ws       INTEGER NOT NULL,
  read     INTEGER NOT NULL,
  archived INTEGER NOT NULL, -- may be set later
  PRIMARY KEY (user, seq)
) STRICT, WITHOUT ROWID;
CREATE INDEX kept_by_entry ON kept (ws, seq);
CREATE INDEX kept_archived ON kept (user, seq) WHERE archived = 1;

-- Where a user's read_upto stood before it moved on, at entries of the log up to `until`. Written only where
-- something was superseded since the row before.
CREATE TABLE watermark (
  user      INTEGER NOT NULL,
  until     INTEGER NOT NULL,
  read_upto INTEGER NOT NULL,
  PRIMARY KEY (user, until)
) STRICT, WITHOUT ROWID;
