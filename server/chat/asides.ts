/** Background tasks, whose failures do not change the response to a request. The log uses these names. */
export type Aside =
  /** Bring memberships in line with the sessions that are still open. */
  | 'session_rooms'
  /** Notify the author why a moderator has deleted a message. */
  | 'deletion_reason'
  /** Announce a pinned message. */
  | 'pin_changed'
  /** Record when a user was last seen. */
  | 'last_here'
  /** Notify moderators of a report. */
  | 'report_changed'
  /** Notify the author and moderators of a message that is pending approval. */
  | 'held_changed'
  /** Read the unread mentions of a user who has blocked another one. */
  | 'mentions_counted'
  /** Send a message to its notification targets, after other servers were asked which of them have joined the room. */
  | 'mention_told'
  /** Announce new counts of threads. */
  | 'thread_changed'
  /** Notify an author that more people have seen a message. */
  | 'seen_changed';

export type OnAsideFailure = (aside: Aside, error: unknown) => void;

/** Runs announcements of a kind one after another, so that the last event is the newest. */
export class AnnouncementQueues {
  readonly #onFailure: OnAsideFailure;
  readonly #last = new Map<Aside, Promise<void>>();

  constructor(onFailure: OnAsideFailure) {
    this.#onFailure = onFailure;
  }

  add(kind: Aside, announce: () => Promise<void>): void {
    const last = this.#last.get(kind) ?? Promise.resolve();
    this.#last.set(
      kind,
      last.then(announce).catch((error) => this.#onFailure(kind, error)),
    );
  }
}
