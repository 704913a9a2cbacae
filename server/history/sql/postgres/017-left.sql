-- needs: 1
-- 1: the user has ended the membership, and people do not begin it again.
ALTER TABLE chat_members ADD COLUMN has_left BIGINT NOT NULL DEFAULT 0;
