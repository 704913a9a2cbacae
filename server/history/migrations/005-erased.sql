-- needs: 1
-- From here on: PostgreSQL, MariaDB

-- The erasures that were asked for, which outlast the restoration of a backup from before them. Users are named by digests
-- with the key of the history; `erases` as in chat_erasures. With SQLite they are in a file beside the history.
CREATE TABLE IF NOT EXISTS chat_erased (
  digest BYTES(64) NOT NULL,
  at INT NOT NULL,
  erases CHARS(16) NOT NULL,
  PRIMARY KEY (digest, at)
) KEYED;
