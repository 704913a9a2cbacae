-- needs: 1
-- A user who has never been here and has written nothing in public is found by nobody, and has no keys any more: a search for
-- people would read them in vain. `keyed`: 1 once the keys are stored. A version before this one stores none when somebody comes
-- whom others had named; this one does when the user comes again.
ALTER TABLE chat_arrivals ADD COLUMN keyed INT; -- SQLite
ALTER TABLE chat_arrivals ADD COLUMN IF NOT EXISTS keyed INT; -- PostgreSQL, MariaDB
UPDATE chat_arrivals SET keyed = 1;
DELETE FROM chat_user_keys
  WHERE NOT EXISTS (SELECT 1 FROM chat_arrivals AS arrivals WHERE arrivals.user_id = chat_user_keys.user_id)
    AND NOT EXISTS (SELECT 1 FROM chat_users AS users WHERE users.id = chat_user_keys.user_id AND acted_public <> 0);
