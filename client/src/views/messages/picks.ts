import type { Chat } from '../../chat/chat.ts';
import type { Follower } from '../../chat/chat-listener.ts';
import { list, object, text } from '../../chat/form.ts';
import type { Room } from '../../store/room.ts';
import { EVERYBODY } from '../../store/user-ids.ts';
import type { PickedMention } from '../../text/mentioning.ts';

const PAGE = 100;

/** The people who were chosen for the draft, also before the page was loaded again. */
export class Picks implements Follower {
  readonly #chat: Chat;
  #looks = 0;

  constructor(chat: Chat) {
    this.#chat = chat;
  }

  in(room: Room): readonly PickedMention[] {
    return this.#chat.store?.get(keyOf(room), list(object<PickedMention>({ user: text, label: text }))) ?? [];
  }

  add(room: Room, pick: PickedMention): void {
    this.#chat.store?.set(keyOf(room), [...this.in(room), pick]);
  }

  clear(room: Room): void {
    this.#chat.store?.delete(keyOf(room));
  }

  /** One of them may be erased, and so in no room any more. Only an answer says so: no failure does. */
  reset(room: Room): void {
    for (const user of new Set(this.in(room).map((pick) => pick.user))) {
      if (user === EVERYBODY) continue;
      // An answer that is on its way may be older than the change: each time it is asked again.
      void this.#chat.tasks.once(`look for a pick ${this.#looks++}`, async (current) => {
        if (!(await this.#isIn(room, user)) && current()) this.#leaveOut(room, user);
      });
    }
  }

  #leaveOut(room: Room, user: string): void {
    const rest = this.in(room).filter((pick) => pick.user !== user);
    if (rest.length === 0) this.clear(room);
    else this.#chat.store?.set(keyOf(room), rest);
  }

  /** The ids of others may begin in the same way. */
  async #isIn(room: Room, user: string, cursor?: string): Promise<boolean> {
    const page = { limit: PAGE, ...(cursor === undefined ? {} : { cursor }) };
    const { members, next } = await this.#chat.request('room:members', {
      room: room.id,
      query: user,
      ...page,
    });
    if (members.some((member) => member.user.id === user)) return true;
    return next !== undefined && this.#isIn(room, user, next);
  }
}

const keyOf = ({ id }: Room) => `picks/${id}`;
