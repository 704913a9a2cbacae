import type { Chat } from '../../chat/chat.ts';
import type { Follower } from '../../chat/chat-listener.ts';
import { flag, list, object, optional, text } from '../../chat/form.ts';
import type { Room } from '../../store/room.ts';
import { EVERYBODY } from '../../store/user-ids.ts';
import type { PickedMention } from '../../text/mentioning.ts';
import type { Place } from '../context.ts';
import { picksOf } from './draft.ts';

const PAGE = 100;

/** The users picked for mentions in a draft. They are stored with it, so they survive a reload. */
export class Picks implements Follower {
  readonly #chat: Chat;
  #looks = 0;

  constructor(chat: Chat) {
    this.#chat = chat;
  }

  in(place: Place): readonly PickedMention[] {
    return this.#kept(picksOf(place));
  }

  add(place: Place, pick: PickedMention): void {
    this.#chat.store?.set(picksOf(place), [...this.in(place), pick]);
  }

  /**
   * Removes picks of users who are no longer in the room, such as erased users. A failed request does not remove a
   * pick.
   */
  reset(room: Room): void {
    const picks = this.#keysIn(room).flatMap((key) => this.#kept(key));
    for (const user of new Set(picks.map((pick) => pick.user))) {
      if (user === EVERYBODY) continue;
      // A response in flight may be older than the change, so every reset sends a new request.
      void this.#chat.tasks.once(`look for a pick ${this.#looks++}`, async (current) => {
        if (!(await this.#isIn(room, user)) && current()) this.#leaveOut(room, user);
      });
    }
  }

  #leaveOut(room: Room, user: string): void {
    for (const key of this.#keysIn(room)) {
      const rest = this.#kept(key).filter((pick) => pick.user !== user);
      if (rest.length === 0) this.#chat.store?.delete(key);
      else this.#chat.store?.set(key, rest);
    }
  }

  /** Includes the keys of the room's threads. */
  #keysIn(room: Room): string[] {
    const own = picksOf({ room });
    const keys = this.#chat.store?.keys(own) ?? [];
    return keys.filter((key) => key === own || key.startsWith(`${own}/`));
  }

  #kept(key: string): readonly PickedMention[] {
    return (
      this.#chat.store?.get(
        key,
        list(object<PickedMention>({ user: text, label: text, replaces: optional(flag) })),
      ) ?? []
    );
  }

  /** The query also finds other users whose ID starts with this one, so the pages are searched for the exact ID. */
  async #isIn(room: Room, user: string, cursor?: string): Promise<boolean> {
    const page = { limit: PAGE, cursor };
    const { members, next } = await this.#chat.request('room:members', {
      room: room.id,
      query: user,
      ...page,
    });
    if (members.some((member) => member.user.id === user)) return true;
    return next !== undefined && this.#isIn(room, user, next);
  }
}
