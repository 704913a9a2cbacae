import type { Follower } from '../../chat/chat-listener.ts';
import type { Room } from '../../store/room.ts';
import type { Context } from '../context.ts';
import { Icon } from '../controls/icon.tsx';
import type { OthersTyping } from '../messages/typing.tsx';
import { askModerator } from './ask-moderator.ts';
import { blockItem } from './block-item.ts';
import { timeToCome } from './restriction-words.ts';

/** The value that the server sends for a permanent mute. */
const FOR_GOOD = Number.MAX_SAFE_INTEGER;
/** The longest delay that browser timers support. */
const LONGEST = 2 ** 31 - 1;

/**
 * Shows why the user cannot write: instead of the field, or above it for the delay of slow mode. Otherwise shows the
 * users who are typing.
 */
export class Barring implements Follower {
  readonly #context: Context;
  readonly #typing: OthersTyping;
  /** By room: the last `mutedForMs` from the server, and the Unix time in ms at which the mute ends. */
  readonly #mutes = new Map<string, { forMs: number; ends: number }>();
  /** By room: the user's last message, and when it was sent, as a value of `performance.now()`. */
  readonly #written = new Map<string, { seq: number; at: number }>();
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(context: Context, typing: OthersTyping) {
    this.#context = context;
    this.#typing = typing;
  }

  silent(room?: string): void {
    // Mutes and delays continue without a connection. They are cleared when the session ends.
    if (room !== undefined || this.#context.chat.me !== undefined) return;
    this.#mutes.clear();
    this.#written.clear();
  }

  bar(room: Room) {
    const { strings, blocking } = this.#context;
    const { with: other, may, slow, mutedReason } = room.summary;
    const ends = this.#mutedUntil(room);
    if (ends !== undefined) {
      const words =
        ends === FOR_GOOD
          ? strings.text('composer.mutedForGood')
          : strings.text('composer.muted', { when: timeToCome(ends, strings) });
      const reason = mutedReason === undefined ? '' : strings.text('composer.reason', { text: mutedReason });
      const label = strings.text('mute.ask');
      const ask = { label, run: (button: HTMLElement) => void askModerator(room, this.#context, button) };
      const { can, single } = this.#context.chat;
      const asks = other === undefined && can.direct && !single;
      return { line: closed('clock', `${words} ${reason}`, asks ? ask : undefined) };
    }
    if (other !== undefined && blocking()?.has(other.id) === true) {
      const words = strings.text('block.you', { name: strings.name(other) });
      const { run } = blockItem(other, this.#context) || {};
      return { line: closed('block', words, run && { label: strings.text('block.end'), run }) };
    }
    if (!may.includes('send')) {
      // A direct room has no moderators, so the peer was erased.
      const words =
        other === undefined
          ? strings.text('composer.readOnly')
          : strings.text('composer.blockedDirect', { name: strings.name(other) });
      return { line: closed('lock', words) };
    }
    const free = { status: this.#typing.draw(room, strings) };
    if (slow === undefined || may.includes('moderate')) return free;
    const left = this.#lastWritten(room) + slow * 1000 - performance.now();
    if (left <= 0) return free;
    this.#drawIn(left % 1000 || 1000);
    return { wait: true, status: strings.text('composer.slow', { s: Math.ceil(left / 1000) }) };
  }

  /** Returns when the user last wrote in the room, including before a reload and on other devices. */
  #lastWritten({ id, timeline }: Room): number {
    const { me, clock } = this.#context.chat;
    const known = this.#written.get(id);
    const last = timeline.list().findLast(({ user }) => user.id === me?.id);
    if (last === undefined || last.seq <= (known?.seq ?? 0)) return known?.at ?? -Infinity;
    const age = Math.max(0, clock.now - last.sentAt);
    const at = performance.now() - age;
    this.#written.set(id, { seq: last.seq, at });
    return at;
  }

  #mutedUntil({ id, summary: { mutedForMs } }: Room): number | undefined {
    if (mutedForMs === undefined) return undefined;
    const { clock } = this.#context.chat;
    let known = this.#mutes.get(id);
    if (known?.forMs !== mutedForMs) {
      known = { forMs: mutedForMs, ends: mutedForMs === FOR_GOOD ? FOR_GOOD : clock.now + mutedForMs };
      this.#mutes.set(id, known);
    }
    const left = known.ends - clock.now;
    if (left <= 0) return undefined;
    this.#drawIn(left);
    return known.ends;
  }

  #drawIn(ms: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(this.#context.changed, Math.min(ms, LONGEST));
  }
}

function closed(
  picture: 'clock' | 'lock' | 'block',
  words: string,
  end?: { readonly label: string; run(button: HTMLElement): void },
) {
  return (
    <div class="composer column">
      <div class="closed" role="note">
        <span>
          <Icon name={picture} size="s" />
          {words}
        </span>
        {end !== undefined && (
          <button type="button" class="link" onClick={({ currentTarget }) => end.run(currentTarget)}>
            {end.label}
          </button>
        )}
      </div>
    </div>
  );
}
