-- needs: 1
-- Answers by mail that were rejected, so that one that is delivered again is not answered again.
CREATE TABLE IF NOT EXISTS chat_mail_rejected (
  id BYTES(64) NOT NULL PRIMARY KEY,
  user_id BYTES(256) NOT NULL,
  at INT NOT NULL
) KEYED;
CREATE INDEX IF NOT EXISTS chat_mail_rejected_by_user ON chat_mail_rejected (user_id);
CREATE INDEX IF NOT EXISTS chat_mail_rejected_by_time ON chat_mail_rejected (at);
