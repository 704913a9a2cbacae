-- needs: 1
-- The site has people join: a user whom it has made a member of a room that is not public has shown up there.
UPDATE chat_members SET acted = 1 FROM chat_rooms AS rooms
  WHERE rooms.num = chat_members.room AND rooms.kind <> 'public'
    AND acted = 0 AND ((sources | coalesce(held, 0)) & 3) <> 0;
-- `sort` is the user's member_key: a name that is not shown does not decide where its user stands.
UPDATE chat_members SET sort = U&'\+10FFFF' || user_id
  WHERE acted = 0
    AND NOT EXISTS (SELECT 1 FROM chat_users AS users WHERE users.id = chat_members.user_id AND acted_public <> 0);
