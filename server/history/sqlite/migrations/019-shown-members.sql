-- The site has people join: a user whom it has made a member of a room that is not public has shown up there.
UPDATE members SET acted = 1
  WHERE acted = 0 AND ((sources | coalesce(held, 0)) & 3) <> 0
    AND (SELECT kind FROM rooms WHERE rooms.num = members.room) <> 'public';
-- `sort` is the user's member_key: a name that is not shown does not decide where its user stands.
UPDATE members SET sort = char(0x10ffff) || user_id
  WHERE acted = 0 AND NOT EXISTS (SELECT 1 FROM users WHERE users.id = members.user_id AND acted_public <> 0);
