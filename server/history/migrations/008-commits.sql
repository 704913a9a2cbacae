-- needs: 1
-- From here on: SQLite

-- The number of the last transaction with changes since the server has started: see `nextCommit` in sqlite/writer.ts.
CREATE TABLE IF NOT EXISTS chat_commits (num INT NOT NULL) NUMBERED;
INSERT INTO chat_commits (num) VALUES (0);
