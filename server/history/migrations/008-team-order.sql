-- needs: 1
-- Members of a team in the order in which they became known, because a team may be a role that many users have.
CREATE INDEX IF NOT EXISTS chat_team_by_since ON chat_team (team, since, user_id);
