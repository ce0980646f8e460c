-- What a client that comes back is told: what it did elsewhere, and what changed about entries it has.

-- Receipts in the order of the revisions that changed them. One that is kept of a superseded entry has its
-- revision too; those of before count as changed by their user's last.
CREATE INDEX receipt_by_rev ON receipt (user, rev);
ALTER TABLE kept ADD COLUMN rev INTEGER NOT NULL DEFAULT 1;
UPDATE kept SET rev = coalesce((SELECT rev FROM user WHERE id = kept.user), 1);
CREATE INDEX kept_by_rev ON kept (user, rev);

-- Keys of marks, so that one is done once.
CREATE TABLE mark_key (
  user   INTEGER NOT NULL,
  key    TEXT    NOT NULL,
  mark   TEXT    NOT NULL, -- as the user said it
  at     INTEGER NOT NULL, -- milliseconds since 1970
  number INTEGER NOT NULL, -- rises with each key of the user: the lowest go first
  PRIMARY KEY (user, key)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX mark_key_by_number ON mark_key (user, number);
CREATE INDEX mark_key_by_age ON mark_key (at);

-- Entries that say something of others: 2 retract, 7 update, 8 supersede.
CREATE INDEX entry_change ON entry (ws, seq) WHERE kind IN (2, 7, 8);
