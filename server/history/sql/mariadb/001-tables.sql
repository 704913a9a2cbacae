-- needs: 1
-- As in postgres/001-tables.sql, where the columns are explained. What COLLATE "C" is there, is VARBINARY here: by all
-- collations some ids would be equal that are not. Each statement can be carried out again: none of them can be undone.
CREATE TABLE IF NOT EXISTS chat_rooms (
  num BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
  id VARBINARY(256) NOT NULL UNIQUE,
  kind VARCHAR(16) NOT NULL CHECK (kind IN ('public', 'private', 'direct')),
  name VARCHAR(255) NOT NULL,
  public_key VARBINARY(960) UNIQUE,
  topic VARCHAR(1000),
  head BIGINT NOT NULL,
  last_seq BIGINT NOT NULL,
  access BIGINT NOT NULL,
  members BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  created_by VARBINARY(256),
  client_id VARBINARY(256),
  pair_low VARBINARY(256),
  pair_high VARBINARY(256),
  empty_since BIGINT,
  UNIQUE (created_by, client_id),
  UNIQUE (pair_low, pair_high),
  KEY (empty_since),
  KEY (kind)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE IF NOT EXISTS chat_members (
  room BIGINT NOT NULL,
  user_id VARBINARY(256) NOT NULL,
  sources BIGINT NOT NULL,
  role VARCHAR(16) NOT NULL CHECK (role IN ('owner', 'moderator', 'member')),
  read_seq BIGINT NOT NULL,
  notify VARCHAR(16),
  acted BIGINT NOT NULL,
  since BIGINT NOT NULL,
  sort VARBINARY(512) NOT NULL,
  PRIMARY KEY (user_id, room),
  KEY (room, sort, user_id)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- `num` has no sequence: its default would name the database, also in a dump for another one.
CREATE TABLE IF NOT EXISTS chat_messages (
  room BIGINT NOT NULL,
  seq BIGINT NOT NULL,
  rev BIGINT NOT NULL,
  num BIGINT NOT NULL AUTO_INCREMENT,
  id VARBINARY(64) NOT NULL,
  client_id VARBINARY(256) NOT NULL,
  user_id VARBINARY(256) NOT NULL,
  user_name VARCHAR(255) NOT NULL,
  text MEDIUMTEXT NOT NULL,
  sent_at BIGINT NOT NULL,
  edited_at BIGINT,
  deleted_at BIGINT,
  deleted_by VARCHAR(16),
  reply_to BIGINT,
  digest VARBINARY(64) NOT NULL,
  PRIMARY KEY (room, seq),
  UNIQUE (room, rev),
  UNIQUE (room, user_id, client_id),
  KEY (num)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE IF NOT EXISTS chat_users (
  id VARBINARY(256) PRIMARY KEY,
  name VARCHAR(255) NOT NULL,
  acted_public BIGINT NOT NULL,
  site_role VARCHAR(16)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE IF NOT EXISTS chat_user_keys (
  find_key VARBINARY(1024) NOT NULL,
  user_id VARBINARY(256) NOT NULL,
  PRIMARY KEY (find_key, user_id),
  KEY (user_id)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC;

CREATE TABLE IF NOT EXISTS chat_bans (
  user_id VARBINARY(256) PRIMARY KEY,
  until BIGINT,
  reason VARCHAR(1000)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE IF NOT EXISTS chat_blocks (
  room BIGINT NOT NULL,
  block BIGINT NOT NULL,
  first_num BIGINT NOT NULL,
  last_num BIGINT NOT NULL,
  stale BIGINT NOT NULL,
  PRIMARY KEY (room, block),
  KEY (stale)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC;

CREATE TABLE IF NOT EXISTS chat_terms (
  room BIGINT NOT NULL,
  term INT NOT NULL,
  block BIGINT NOT NULL,
  PRIMARY KEY (room, term, block)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC;

CREATE TABLE IF NOT EXISTS chat_digest_key (digest VARBINARY(64) NOT NULL) ENGINE = InnoDB;

CREATE TABLE IF NOT EXISTS chat_writers (
  id VARBINARY(64) PRIMARY KEY,
  num BIGINT NOT NULL,
  since BIGINT NOT NULL
) ENGINE = InnoDB;
