import type { EventPayload, Held } from '../../../../server/wire/events.ts';
import type { Follower } from '../../chat/chat-listener.ts';
import { RequestError } from '../../connection/connection-state.ts';
import type { Entry, Unsent } from '../../store/entries.ts';
import type { Room } from '../../store/room.ts';
import type { Strings } from '../../strings/strings.ts';
import type { Context, UnsentActions } from '../context.ts';
import { opener } from '../controls/dialog.tsx';
import { Icon } from '../controls/icon.tsx';
import { refusal } from '../refusal.ts';

const PAGE = 100;
/** Maximum number of messages to load. The moderators' page lists more. */
const MOST = 500;

/** Held messages: those of the user, and for moderators those of other users, among the messages of the room. */
export class OnHold implements Follower {
  readonly #context: Context;
  /** The messages by ID, in the server's order, followed by those that arrived after the list. */
  #held = new Map<string, Held>();
  /** The rooms that the user moderated when the list was loaded. */
  #asked = new Set<string>();
  /** IDs that changed while the list was loading. */
  #since: Set<string> | undefined;

  constructor(context: Context) {
    this.#context = context;
  }

  ready(): void {
    this.#asked.clear();
  }

  /** When the session ends, nothing may remain. */
  silent(): void {
    if (this.#context.chat.me === undefined) this.#held.clear();
  }

  held({ id, is, held }: EventPayload<'held:changed'>): void {
    this.#since?.add(id);
    if (is === 'held' && held !== undefined) this.#held.set(id, held);
    else this.#held.delete(id);
  }

  /** Inserts pending messages where they were sent, and a pending edit after its message. */
  among(room: Room, list: Entry[]): Entry[] {
    if (!decides(room)) {
      // The server sends no events for this room until the user moderates it again.
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
      // It was approved and is already in the list.
      if (at === undefined || list.some((entry) => entry.key === key)) continue;
      const { user, text, replyTo } = held;
      list.splice(at, 0, { key, user, text, sentAt: held.at, replyTo, held });
    }
    return list;
  }

  /** The line under a message. Its author can edit it, which sends a new message. */
  draw(entry: Entry, state: 'held' | 'rejected', { again, discard }: UnsentActions) {
    const { strings } = this.#context;
    const { unsent, held } = entry;
    return (
      <div class={state === 'held' ? 'state' : 'state bad'}>
        <Icon name={state === 'held' ? 'clock' : 'alert'} size="s" />
        <span>
          {state === 'held' ? strings.text('held.waiting') : rejectedWords(unsent?.reason, strings)}
          {held?.seq !== undefined && ` ${strings.text('msg.edited')}`}
        </span>
        {held !== undefined && this.#decision(held)}
        {unsent !== undefined && isOnlyText(unsent) && (
          <button type="button" class="link" tabIndex={-1} onClick={() => again(entry)}>
            {strings.text('action.edit')}
          </button>
        )}
        {unsent !== undefined && (
          <button type="button" class="link" tabIndex={-1} onClick={() => discard(entry)}>
            {strings.text('msg.discard')}
          </button>
        )}
      </div>
    );
  }

  #decision(held: Held) {
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
      // Another moderator decided first.
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
          cursor,
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

/** Whether `again` puts the whole message back, because the field takes only its text. */
export const isOnlyText = ({ files, card }: Unsent) => !files?.length && card === undefined;

/** The text for a message that a moderator rejected. */
export function rejectedWords(reason: string | undefined, strings: Strings): string {
  return reason === undefined
    ? strings.text('held.rejected')
    : strings.text('held.rejectedWhy', { text: reason });
}

const decides = ({ summary }: Room) => summary.may.includes('moderate');

/** Returns the index for a pending message; undefined if the messages around it are not loaded. */
function placeOf({ seq, at }: Held, list: readonly Entry[], { timeline }: Room): number | undefined {
  if (seq !== undefined) {
    const edited = list.findIndex(({ message }) => message?.seq === seq);
    return edited === -1 ? undefined : edited + 1;
  }
  // The user's unsent messages stay at the end.
  const next = list.findIndex(({ sentAt, unsent }) => unsent !== undefined || sentAt > at);
  if (next === 0 && !timeline.complete) return undefined;
  if (next !== -1 && list[next]?.unsent === undefined) return next;
  if (!timeline.attached) return undefined;
  return next === -1 ? list.length : next;
}
