/** What is done beside a request, which has its answer whatever becomes of this. The log calls it by that name. */
export type Aside =
  /** Memberships are brought in line with what the sessions say that are still open. */
  | 'session_rooms'
  /** The author of a message learns why a moderator has deleted it. */
  | 'deletion_reason'
  /** Moderators learn of a report. */
  | 'report_changed';

export type OnAsideFailure = (aside: Aside, error: unknown) => void;
