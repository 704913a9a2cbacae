-- needs: 1
-- As in postgres/012-reports-by-user.sql. Each statement can be carried out again.
CREATE INDEX IF NOT EXISTS chat_reports_by_user ON chat_reports (by_id, num);
