-- needs: 1
-- As in postgres/016-shown-members.sql. Each statement can be carried out again.
UPDATE chat_members AS members JOIN chat_rooms AS rooms ON rooms.num = members.room SET acted = 1
  WHERE rooms.kind <> 'public' AND acted = 0 AND ((sources | coalesce(held, 0)) & 3) <> 0;
UPDATE chat_members AS members SET sort = concat(x'F48FBFBF', user_id)
  WHERE acted = 0
    AND NOT EXISTS (SELECT 1 FROM chat_users AS users WHERE users.id = members.user_id AND acted_public <> 0);
