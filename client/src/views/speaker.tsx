import type { EventPayload, MessageReacted } from '../../../server/wire/events.ts';
import type { Chat } from '../chat/chat.ts';
import type { Follower, NewMessage } from '../chat/chat-listener.ts';
import type { ConnectionState } from '../connection/connection-state.ts';
import type { Room } from '../store/room.ts';
import { mentions } from '../store/user-ids.ts';
import type { Strings } from '../strings/strings.ts';
import { wordsOf } from '../text/words.ts';
import { causes } from './banner.tsx';

const BURST_MS = 2000;
const OTHER_ROOM_MS = 10_000;
const REACTED_MS = 10_000;
const LOST_MS = 2000;
const LONGEST = 140;

/**
 * Announces texts to screen readers, sparingly, with two hidden live regions. The last text stays there to be read
 * again until its message, room or author is hidden.
 */
export class Speaker implements Follower {
  readonly #chat: Pick<Chat, 'me' | 'current'>;
  readonly #strings: Strings;
  readonly #changed: () => void;
  readonly #ignored: (user: string) => boolean;
  #polite: Said | undefined;
  #assertive: Said | undefined;
  #count = 0;
  #recent: number[] = [];
  #burst: ReturnType<typeof setTimeout> | undefined;
  #unspoken = 0;
  #other = -Infinity;
  #reacted = -Infinity;
  #lost: ReturnType<typeof setTimeout> | undefined;
  #state: ConnectionState | undefined;
  #lostSaid = false;

  /** @param ignored - whether a user's reactions are not announced */
  constructor(
    chat: Pick<Chat, 'me' | 'current'>,
    strings: Strings,
    changed: () => void,
    ignored: (user: string) => boolean = () => false,
  ) {
    this.#chat = chat;
    this.#strings = strings;
    this.#changed = changed;
    this.#ignored = ignored;
  }

  draw() {
    return (
      <>
        <div class="vh" role="status" aria-live="polite">
          {paragraph(this.#polite)}
        </div>
        <div class="vh" role="alert" aria-live="assertive">
          {paragraph(this.#assertive)}
        </div>
      </>
    );
  }

  /** Announces a message in the open room. A burst of messages is announced as a number. */
  arrived(room: Room, { user: { id, name }, seq, text, mentions: named, files }: NewMessage): void {
    const source = { room: room.id, seq, user: id };
    const words = shortened(wordsOf(text, typeof files === 'number' ? [] : files, this.#strings));
    if (mentions({ mentions: named }, this.#chat.me?.id))
      return this.alert(this.#strings.text('say.mention', { name, text: words }), source);
    const now = performance.now();
    this.#recent = [...this.#recent.filter((at) => now - at < BURST_MS), now];
    if (this.#recent.length <= 3 && this.#burst === undefined) {
      this.say(this.#strings.text('say.message', { name, text: words }), source);
      return;
    }
    this.#unspoken++;
    this.#burst ??= setTimeout(() => {
      this.say(this.#strings.text('say.many', { n: this.#unspoken }));
      this.#unspoken = 0;
      this.#burst = undefined;
    }, BURST_MS);
  }

  elsewhere({ id, summary }: Room): void {
    const now = performance.now();
    if (now - this.#other < OTHER_ROOM_MS) return;
    this.#other = now;
    this.say(this.#strings.text('say.room', { room: summary.name }), { room: id, user: summary.with?.id });
  }

  /** Announces another user's reaction to one of the user's messages in the open room. */
  reacted(room: Room, { seq, changes }: MessageReacted): void {
    const me = this.#chat.me?.id;
    const now = performance.now();
    if (room !== this.#chat.current) return;
    if (room.timeline.get(seq)?.user.id !== me || now - this.#reacted < REACTED_MS) return;
    for (const { emoji, added = [] } of changes) {
      const user = added.find((id) => id !== me && !this.#ignored(id));
      if (user === undefined) continue;
      this.#reacted = now;
      const name = room.present.find(({ id }) => id === user)?.name ?? user;
      return this.say(this.#strings.text('say.react', { name, emoji }), { room: room.id, user });
    }
  }

  loaded(count: number): void {
    if (count > 0) this.say(this.#strings.count('say.loaded', count));
  }

  unsent(): void {
    this.alert(this.#strings.text('say.unsent'));
  }

  /** Announces a loss of connection that lasts for `LOST_MS`, and the reconnect after it. */
  connection(state: ConnectionState): void {
    this.#state = state;
    if (state.kind === 'lost') {
      this.#lost ??= setTimeout(() => this.#sayLost(), LOST_MS);
    } else if (state.kind !== 'connecting') {
      clearTimeout(this.#lost);
      this.#lost = undefined;
      if (this.#lostSaid && state.kind === 'ready') this.say(this.#strings.text('conn.restored'));
      this.#lostSaid = false;
    }
  }

  /** Uses the current state, because the cause may become known during the delay. */
  #sayLost(): void {
    if (this.#state?.kind !== 'lost') return;
    const seconds = Math.max(1, Math.round((this.#state.retryAt - performance.now()) / 1000));
    this.say(this.#strings.text(causes[this.#state.cause].text, { s: seconds }));
    this.#lostSaid = true;
  }

  say(text: string, source?: Source): void {
    this.#polite = { text, source, count: ++this.#count };
    this.#changed();
  }

  alert(text: string, source?: Source): void {
    this.#assertive = { text, source, count: ++this.#count };
    this.#changed();
  }

  outdated({ id }: Room, seq: number): void {
    this.#unsay((source) => source.room === id && source.seq === seq);
  }

  reset({ id }: Room): void {
    this.#unsay(({ room }) => room === id);
  }

  removed(room: Room): void {
    this.reset(room);
  }

  blocked({ user: id, blocked }: EventPayload<'blocked:changed'>): void {
    if (blocked) this.#unsay(({ user }) => user === id);
  }

  #unsay(gone: (source: Source) => boolean): void {
    const rest = (said: Said | undefined) => (said?.source && gone(said.source) ? undefined : said);
    this.#polite = rest(this.#polite);
    this.#assertive = rest(this.#assertive);
    this.#changed();
  }

  /** Removes all announced texts from the page. */
  clear(): void {
    clearTimeout(this.#burst);
    this.#burst = undefined;
    this.#recent = [];
    this.#unspoken = 0;
    this.#polite = undefined;
    this.#assertive = undefined;
  }
}

const shortened = (text: string) =>
  text.length > LONGEST ? `${text.slice(0, LONGEST).toWellFormed()}…` : text;

/** The author of a text, and its message or room. The text is removed with any of them. */
interface Source {
  readonly room: string;
  readonly seq?: number;
  readonly user?: string | undefined;
}

interface Said {
  readonly text: string;
  readonly source: Source | undefined;
  readonly count: number;
}

/** A new key replaces the element. Screen readers do not speak the same text again in an unchanged element. */
function paragraph(said: Said | undefined) {
  return said !== undefined && <p key={said.count}>{said.text}</p>;
}
