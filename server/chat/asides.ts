/** Background tasks, whose failures do not change the response to a request. The log uses these names. */
export type Aside =
  /** Bring memberships in line with the sessions that are still open. */
  | 'session_rooms'
  /** Send the author of a deleted message the moderator's reason. */
  | 'deletion_reason'
  /** Send a secret vote to the other connections of its user. */
  | 'own_vote'
  /** Announce that a button of a card was clicked. */
  | 'card_changed'
  /** Announce that a message was pinned or unpinned. */
  | 'pin_changed'
  /** Record when a user was last seen. */
  | 'last_here'
  /** Notify moderators of a report. */
  | 'report_changed'
  /** Notify the author and moderators of a message that is pending approval. */
  | 'held_changed'
  /** Read a user's unread mentions again after the user blocked someone. */
  | 'mentions_counted'
  /** Ask other servers which notification targets have joined the room, and send the message to the rest. */
  | 'mention_told'
  /** Announce new counts of threads. */
  | 'thread_changed'
  /** Record that a guest answered a mail from the address that the guest gave. */
  | 'address_verified'
  /** Send a note to the team. */
  | 'note_announced'
  /** Check whether the other user of a direct room ever connected. */
  | 'reach_checked'
  /** Notify an author that more users have read a message. */
  | 'seen_changed';

export type OnAsideFailure = (aside: Aside, error: unknown) => void;

/** Runs announcements of the same kind sequentially, so that clients get the newest state last. */
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
