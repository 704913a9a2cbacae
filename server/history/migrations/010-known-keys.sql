-- needs: 1
-- A user who has never been here and has written nothing in public is found by nobody, and has no keys any more: a search for
-- people would read them in vain.
DELETE FROM chat_user_keys
  WHERE NOT EXISTS (SELECT 1 FROM chat_arrivals AS arrivals WHERE arrivals.user_id = chat_user_keys.user_id)
    AND NOT EXISTS (SELECT 1 FROM chat_users AS users WHERE users.id = chat_user_keys.user_id AND acted_public <> 0);
