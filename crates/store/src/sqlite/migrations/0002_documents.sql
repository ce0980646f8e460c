-- What sources keep: products, records, rules, runs. One table for all kinds, in the order of creation,
-- and an index for each way to ask. An update rewrites the row in place and touches only those indexes
-- whose columns it changes: for most of them the one by due.

CREATE TABLE document (
  number  INTEGER PRIMARY KEY, -- the order of creation: the number of the change that made it, never used again
  ws      INTEGER NOT NULL,
  kind    INTEGER NOT NULL,    -- DocumentKind::number
  id      TEXT    NOT NULL,
  grp     TEXT    NOT NULL,    -- what it is listed under; '': nothing
  version INTEGER NOT NULL,    -- number of the change that wrote it, in the whole database
  created INTEGER NOT NULL,    -- milliseconds since 1970, like the three below
  updated INTEGER NOT NULL,
  due     INTEGER,
  expires INTEGER,
  body    BLOB    NOT NULL,    -- JSON
  crc     INTEGER NOT NULL     -- CRC-32C over all of the above
) STRICT;
CREATE UNIQUE INDEX document_by_id ON document (ws, kind, id);
-- An index ends with the number: these two list by it. The empty group is all of its kind or none of it,
-- and has no index of its own.
CREATE INDEX document_by_number ON document (ws, kind);
CREATE INDEX document_by_group_number ON document (ws, kind, grp) WHERE grp != '';
CREATE INDEX document_by_group_id ON document (ws, kind, grp, id) WHERE grp != '';
-- Of all workspaces.
CREATE INDEX document_by_due ON document (kind, due) WHERE due IS NOT NULL;
CREATE INDEX document_by_expiry ON document (expires) WHERE expires IS NOT NULL;
