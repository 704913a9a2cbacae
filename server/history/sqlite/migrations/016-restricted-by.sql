-- By whom something is laid on a user of a room: what an erased moderator has laid is found by that.
CREATE INDEX members_by_muter ON members (restricted ->> '$.muted.by') WHERE restricted IS NOT NULL;
CREATE INDEX members_by_banner ON members (restricted ->> '$.banned.by') WHERE restricted IS NOT NULL;
