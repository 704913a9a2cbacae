/** Work beside a request, whose failure does not change the request's answer. The log uses these names. */
export type Aside =
  /** Bring memberships in line with the sessions that are still open. */
  | 'session_rooms'
  /** Notify the author of a message why a moderator has deleted it. */
  | 'deletion_reason'
  /** Announce a pinned message. */
  | 'pin_changed'
  /** Note when a user was last here. */
  | 'last_here'
  /** Notify moderators of a report. */
  | 'report_changed'
  /** Notify the author and moderators of a message that waits. */
  | 'held_changed'
  /** Count unread mentions behind those of somebody who is blocked now. */
  | 'mentions_counted'
  /** Send a message to users whom it concerns, after other servers were asked about them. */
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
