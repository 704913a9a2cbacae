import { markOf } from '../session/logout-marker.ts';
import type { SessionName } from '../session/store.ts';

/** The sessions that are held, by each of the names under which a store tells of them. */
export class SessionIndex<Session extends { id: string }> {
  readonly #byId = new Map<string, Session>();
  readonly #byMark = new Map<string, Session>();

  get(name: SessionName): Session | undefined {
    return 'id' in name ? this.#byId.get(name.id) : this.#byMark.get(name.mark);
  }

  /** In place of another one with that id, if there is one. */
  add(session: Session): void {
    this.#byId.set(session.id, session);
    this.#byMark.set(markOf(session.id), session);
  }

  delete(session: Session): void {
    if (this.#byId.get(session.id) !== session) return;
    this.#byId.delete(session.id);
    this.#byMark.delete(markOf(session.id));
  }

  [Symbol.iterator](): Iterator<Session> {
    return this.#byId.values();
  }
}
