-- A generation begins with each start of a server, after that message and that change of a text. By them is known whether an
-- index for searching was made from this file, and not from a newer or another copy of it.
CREATE TABLE generations (
  num INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  message INTEGER NOT NULL,
  change INTEGER NOT NULL
) STRICT;

-- Now with the place in the room. The index has another form now, so it is made again, and holds no former text.
DROP TABLE former_texts;
CREATE TABLE former_texts (
  change INTEGER PRIMARY KEY AUTOINCREMENT,
  message INTEGER NOT NULL,
  room INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  text TEXT NOT NULL
) STRICT;
CREATE INDEX former_texts_by_seq ON former_texts (room, seq);
