-- needs: 1
-- By whom something is laid on a user of a room: what an erased moderator has laid is found by that.
CREATE INDEX chat_members_by_muter ON chat_members ((restricted::jsonb #>> '{muted,by}') COLLATE "C")
  WHERE restricted IS NOT NULL;
CREATE INDEX chat_members_by_banner ON chat_members ((restricted::jsonb #>> '{banned,by}') COLLATE "C")
  WHERE restricted IS NOT NULL;
