-- needs: 1
-- The tokens of reply addresses in mails. `id` is the digest of a token, `seq` the last message that the mail showed.
CREATE TABLE IF NOT EXISTS chat_mail_replies (
  id BYTES(64) NOT NULL PRIMARY KEY,
  user_id BYTES(256) NOT NULL,
  room_id BYTES(64) NOT NULL,
  seq INT,
  at INT NOT NULL
) KEYED;
CREATE INDEX IF NOT EXISTS chat_mail_replies_by_user ON chat_mail_replies (user_id);
CREATE INDEX IF NOT EXISTS chat_mail_replies_by_time ON chat_mail_replies (at);
