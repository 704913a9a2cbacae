import type { EventPayload, Held } from '../../../../server/wire/events.ts';
import type { Follower } from '../../chat/chat-listener.ts';
import { RequestError } from '../../connection/connection-state.ts';
import type { Entry } from '../../store/entries.ts';
import type { Room } from '../../store/room.ts';
import type { Context } from '../context.ts';
import { opener } from '../controls/dialog.tsx';
import { refusal } from '../refusal.ts';

const PAGE = 100;
/** The moderators' page has them all. */
const MOST = 500;

/** The messages of others that wait for a moderator, among those of their room, for those who decide there. */
export class OnHold implements Follower {
  readonly #context: Context;
  /** By their ids, in the order of the server and then of their coming. */
  #held = new Map<string, Held>();
  /** The rooms in which the user decided when the list was read. */
  #asked = new Set<string>();
  /** The changes that came while the list was being read. */
  #since: Set<string> | undefined;

  constructor(context: Context) {
    this.#context = context;
  }

  ready(): void {
    this.#asked.clear();
  }

  /** After the session nothing of it stays. */
  silent(): void {
    if (this.#context.chat.me === undefined) this.#held.clear();
  }

  held({ id, is, held }: EventPayload<'held:changed'>): void {
    this.#since?.add(id);
    if (is === 'held' && held !== undefined) this.#held.set(id, held);
    else this.#held.delete(id);
  }

  /** Puts what waits where it was sent, and an edit behind its message. */
  among(room: Room, list: Entry[]): Entry[] {
    if (!decides(room)) {
      // The server says nothing of what happens there until the user decides again.
      this.#asked.delete(room.id);
      return list;
    }
    if (!this.#asked.has(room.id)) void this.#load();
    const { chat } = this.#context;
    const waiting = [...this.#held.values()]
      .filter((held) => held.room === room.id && held.user.id !== chat.me?.id)
      .sort((a, b) => a.at - b.at);
    for (const held of waiting) {
      const at = placeOf(held, list, room);
      const key = held.clientId === undefined ? `held/${held.id}` : `${held.user.id}/${held.clientId}`;
      // It has been approved, and is known as a message already.
      if (at === undefined || list.some((entry) => entry.key === key)) continue;
      const { user, text, replyTo } = held;
      list.splice(at, 0, { key, user, text, sentAt: held.at, replyTo, waits: held });
    }
    return list;
  }

  /** The buttons of a message that waits. */
  draw(held: Held) {
    const { strings, dialog } = this.#context;
    return (
      <>
        <button type="button" class="link" tabIndex={-1} onClick={() => void this.#approve(held)}>
          {strings.text('held.approve')}
        </button>
        <button
          type="button"
          class="link"
          tabIndex={-1}
          onClick={() => dialog({ kind: 'reject', held })}
          {...opener(true)}
        >
          {strings.text('held.reject')}…
        </button>
      </>
    );
  }

  async #approve({ id }: Held): Promise<void> {
    const { chat, strings, toast, changed } = this.#context;
    try {
      await chat.request('held:approve', { id });
    } catch (error) {
      // Another moderator was faster.
      if (!(error instanceof RequestError) || error.code !== 'unknown_message')
        return toast(refusal(error, strings), 'bad');
      this.#held.delete(id);
      changed();
    }
  }

  async #load(): Promise<void> {
    const { chat, changed } = this.#context;
    this.#asked = new Set([...chat.rooms.values()].filter(decides).map(({ id }) => id));
    await chat.tasks.once('messages on hold', async (current) => {
      const since = new Set<string>();
      this.#since = since;
      const found: Held[] = [];
      let cursor: string | undefined;
      do {
        const page = await chat.request('held:list', {
          limit: PAGE,
          ...(cursor === undefined ? {} : { cursor }),
        });
        found.push(...page.held);
        cursor = page.next;
      } while (cursor !== undefined && found.length < MOST);
      if (!current()) return;
      this.#since = undefined;
      const changes = [...this.#held.values()].filter(({ id }) => since.has(id));
      const others = found.filter(({ id }) => !since.has(id));
      this.#held = new Map([...others, ...changes].map((held) => [held.id, held]));
      changed();
    });
  }
}

const decides = ({ summary }: Room) => summary.may.includes('moderate');

/** Undefined where the messages around it are not shown. */
function placeOf({ seq, at }: Held, list: readonly Entry[], { timeline }: Room): number | undefined {
  if (seq !== undefined) {
    const edited = list.findIndex(({ message }) => message?.seq === seq);
    return edited === -1 ? undefined : edited + 1;
  }
  // Answers that are on their way belong to the end.
  const next = list.findIndex(({ sentAt, pending }) => pending !== undefined || sentAt > at);
  if (next === 0 && !timeline.complete) return undefined;
  if (next !== -1 && list[next]?.pending === undefined) return next;
  if (!timeline.attached) return undefined;
  return next === -1 ? list.length : next;
}
