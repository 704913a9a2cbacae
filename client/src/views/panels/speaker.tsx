import type { MessageReacted } from '../../../../server/events.ts';
import type { Chat } from '../../chat/chat.ts';
import type { NewMessage } from '../../chat/chat-listener.ts';
import type { ConnectionState } from '../../connection/connection-state.ts';
import type { Room } from '../../store/room.ts';
import { mentions } from '../../store/user-ids.ts';
import type { Strings } from '../../strings/strings.ts';
import { wordsOf } from '../../text/words.ts';
import { causes } from '../banner.tsx';

const BURST_MS = 2000;
const OTHER_ROOM_MS = 10_000;
const REACTED_MS = 10_000;
const LOST_MS = 2000;
const LONGEST = 140;

/** What a screen reader says without being asked: two hidden live regions, used sparingly. */
export class Speaker {
  readonly #chat: Pick<Chat, 'me'>;
  readonly #strings: Strings;
  readonly #changed: () => void;
  #polite: Said | undefined;
  #assertive: Said | undefined;
  #recent: number[] = [];
  #burst: ReturnType<typeof setTimeout> | undefined;
  #unspoken = 0;
  #other = 0;
  #reacted = 0;
  #lost: ReturnType<typeof setTimeout> | undefined;
  #state: ConnectionState | undefined;
  #lostSaid = false;

  constructor(chat: Pick<Chat, 'me'>, strings: Strings, changed: () => void) {
    this.#chat = chat;
    this.#strings = strings;
    this.#changed = changed;
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

  /** A message in the room that is open: read out, or only counted when many come at once. */
  message({ user: { name }, text, mentions: named, files }: NewMessage): void {
    const words = shortened(wordsOf(text, typeof files === 'number' ? [] : files));
    if (mentions({ ...(named && { mentions: named }) }, this.#chat.me?.id))
      return this.alert(this.#strings.text('say.mention', { name, text: words }));
    const now = Date.now();
    this.#recent = [...this.#recent.filter((at) => now - at < BURST_MS), now];
    if (this.#recent.length <= 3 && this.#burst === undefined) {
      this.say(this.#strings.text('say.message', { name, text: words }));
      return;
    }
    this.#unspoken++;
    this.#burst ??= setTimeout(() => {
      this.say(this.#strings.text('say.many', { n: this.#unspoken }));
      this.#unspoken = 0;
      this.#burst = undefined;
    }, BURST_MS);
  }

  elsewhere(room: string): void {
    const now = Date.now();
    if (now - this.#other < OTHER_ROOM_MS) return;
    this.#other = now;
    this.say(this.#strings.text('say.room', { room }));
  }

  /** Somebody else's reaction to one's own message, unless nothing is to be heard of that person. */
  reacted(room: Room, { seq, changes }: MessageReacted, ignored?: { has(user: string): boolean }): void {
    const me = this.#chat.me?.id;
    const now = Date.now();
    if (room.timeline.get(seq)?.user.id !== me || now - this.#reacted < REACTED_MS) return;
    for (const { emoji, added = [] } of changes) {
      const user = added.find((id) => id !== me && ignored?.has(id) !== true);
      if (user === undefined) continue;
      this.#reacted = now;
      const name = room.present.find(({ id }) => id === user)?.name ?? user;
      return this.say(this.#strings.text('say.react', { name, emoji }));
    }
  }

  loaded(count: number): void {
    if (count > 0) this.say(this.#strings.text('say.loaded', { n: count }));
  }

  unsent(): void {
    this.alert(this.#strings.text('say.unsent'));
  }

  /** That the connection is lost, once it is for a while, and that it is back. */
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

  /** Why it is lost may have been found out meanwhile. */
  #sayLost(): void {
    if (this.#state?.kind !== 'lost') return;
    const seconds = Math.max(1, Math.round((this.#state.retryAt - Date.now()) / 1000));
    this.say(this.#strings.text(causes[this.#state.cause].text, { s: seconds }));
    this.#lostSaid = true;
  }

  say(text: string): void {
    this.#polite = { text, count: (this.#polite?.count ?? 0) + 1 };
    this.#changed();
  }

  alert(text: string): void {
    this.#assertive = { text, count: (this.#assertive?.count ?? 0) + 1 };
    this.#changed();
  }

  /** Nothing that was said may stay in the page. */
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

interface Said {
  readonly text: string;
  readonly count: number;
}

/** An element of its own: the same words twice are otherwise no change, and are not spoken. */
function paragraph(said: Said | undefined) {
  return said !== undefined && <p key={said.count}>{said.text}</p>;
}
