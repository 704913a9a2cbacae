import type { EventPayload, MessageFile } from '../../../../server/wire/events.ts';
import type { Follower } from '../../chat/chat-listener.ts';
import { list, number, text } from '../../chat/form.ts';
import type { Entry } from '../../store/entries.ts';
import type { Room } from '../../store/room.ts';
import type { Context } from '../context.ts';
import { addressOf } from '../files/address.ts';

/** Sound that can be played: of a message, or a recording that is not sent. */
export interface Sound {
  readonly id: string;
  readonly address: string;
  /** Milliseconds, if they are known. */
  readonly duration: number | undefined;
  readonly voice: boolean;
  /** The message that carries it. */
  readonly entry?: Entry | undefined;
}

export const soundOf = (context: Context, file: MessageFile, entry: Entry): Sound => ({
  id: file.id,
  address: addressOf(context.chat, file),
  duration: file.audio?.duration,
  voice: file.audio?.peaks !== undefined,
  entry,
});

/** Voice messages that were played, in this browser: older ones count as not played again. */
const MOST_HEARD = 1000;
const SPEEDS = [1, 1.5, 2];

/** Plays one sound or video of an element at a time, as long as its message may be seen. */
export class Player implements Follower {
  readonly #context: Context;
  readonly #audio = new Audio();
  readonly #listeners = new Set<() => void>();
  readonly #failed = new Set<string>();
  /** Where the others were left, in seconds. */
  readonly #left = new Map<string, number>();
  #video: HTMLVideoElement | undefined;
  /** It plays, or was paused last. */
  sound: Sound | undefined;

  constructor(context: Context, signal: AbortSignal) {
    this.#context = context;
    // Before an address: the server knows by the cookie who asks, on another origin, too.
    this.#audio.crossOrigin = 'use-credentials';
    this.#audio.preload = 'metadata';
    for (const type of ['timeupdate', 'play', 'pause', 'durationchange', 'seeked'])
      this.#audio.addEventListener(type, this.#tell, { signal });
    this.#audio.addEventListener('ended', () => this.#ended(), { signal });
    this.#audio.addEventListener('error', () => this.#fail(), { signal });
    signal.addEventListener('abort', () => this.stop());
  }

  /** Calls it with each change, until the returned function is called. */
  follow(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  isOn({ id }: Sound): boolean {
    return this.sound?.id === id && !this.#audio.paused;
  }

  /** It plays or has stopped on its way: not one that has ended. */
  get underWay(): boolean {
    return !this.#audio.paused || this.#audio.currentTime > 0;
  }

  failed({ id }: Sound): boolean {
    return this.#failed.has(id);
  }

  /** Milliseconds from its beginning. */
  at({ id }: Sound): number {
    return (this.sound?.id === id ? this.#audio.currentTime : (this.#left.get(id) ?? 0)) * 1000;
  }

  /** Milliseconds; 0: not known yet. The browser does not know that of a recording. */
  duration({ id, duration }: Sound): number {
    const own = this.sound?.id === id ? this.#audio.duration * 1000 : 0;
    return duration ?? (Number.isFinite(own) ? own : 0);
  }

  get speed(): number {
    const speed = this.#context.chat.settings.get('speed', number) ?? 1;
    return SPEEDS.includes(speed) ? speed : 1;
  }

  faster(): void {
    const next = SPEEDS[(SPEEDS.indexOf(this.speed) + 1) % SPEEDS.length] ?? 1;
    this.#context.chat.settings.set('speed', next);
    this.#setSpeed();
    this.#tell();
  }

  toggle(sound: Sound): void {
    if (this.isOn(sound)) this.#audio.pause();
    else this.play(sound);
  }

  play(sound: Sound): void {
    this.#failed.delete(sound.id);
    this.#video?.pause();
    this.#load(sound);
    this.#note(sound);
    this.#audio.play().catch((error: Error) => {
      // Paused before it began, or another one was chosen.
      if (error.name !== 'AbortError' && this.sound === sound) this.#fail();
    });
  }

  /** @param ms - from its beginning */
  seek(sound: Sound, ms: number): void {
    this.#load(sound);
    const end = this.duration(sound) || Infinity;
    this.#audio.currentTime = Math.max(0, Math.min(ms, end)) / 1000;
    this.#tell();
  }

  /** This video plays now. */
  give(video: HTMLVideoElement): void {
    this.#audio.pause();
    if (this.#video !== video) this.#video?.pause();
    this.#video = video;
  }

  /** This video is no longer shown. */
  release(video: HTMLVideoElement): void {
    unload(video);
    if (this.#video === video) this.#video = undefined;
  }

  /** The sound has stopped. */
  hush(): void {
    this.#audio.pause();
    this.#video?.pause();
  }

  /** Nothing of it stays. */
  stop(): void {
    unload(this.#audio);
    this.sound = undefined;
    this.#left.clear();
    this.#failed.clear();
    this.#tell();
  }

  outdated({ id, timeline }: Room, seq: number, isDeleted: boolean): void {
    const now = timeline.get(seq);
    const hasLost = now !== undefined && !now.files?.some((file) => file.id === this.sound?.id);
    if (isDeleted || hasLost) this.#stopIf(({ message }) => message?.room === id && message.seq === seq);
  }

  reset({ id }: Room): void {
    this.#stopIf(({ message, pending, waits }) => (message ?? pending ?? waits)?.room === id);
  }

  removed(room: Room): void {
    this.reset(room);
  }

  blocked({ user: id, blocked }: EventPayload<'blocked:changed'>): void {
    if (blocked) this.#stopIf(({ user }) => user.id === id);
  }

  #stopIf(gone: (entry: Entry) => boolean): void {
    if (this.sound?.entry !== undefined && gone(this.sound.entry)) this.stop();
  }

  isHeard({ voice, entry, id }: Sound): boolean {
    const { chat } = this.#context;
    return !voice || entry === undefined || entry.user.id === chat.me?.id || this.#heard().includes(id);
  }

  #heard(): string[] {
    return this.#context.chat.store?.get('heard', list(text)) ?? [];
  }

  #note(sound: Sound): void {
    if (!this.isHeard(sound))
      this.#context.chat.store?.set('heard', [...this.#heard(), sound.id].slice(-MOST_HEARD));
  }

  #load(sound: Sound): void {
    const before = this.sound;
    this.sound = sound;
    if (before?.id === sound.id) return;
    if (before !== undefined) this.#left.set(before.id, this.#audio.ended ? 0 : this.#audio.currentTime);
    this.#audio.src = sound.address;
    this.#audio.currentTime = this.#left.get(sound.id) ?? 0;
    this.#setSpeed();
  }

  #setSpeed(): void {
    const rate = this.sound?.voice === true ? this.speed : 1;
    this.#audio.defaultPlaybackRate = rate;
    this.#audio.playbackRate = rate;
  }

  #ended(): void {
    const { sound } = this;
    if (sound === undefined) return;
    this.#audio.currentTime = 0;
    const next = this.#after(sound);
    if (next !== undefined) this.play(next);
    this.#tell();
  }

  /** The next voice message of the same person that was not played yet. */
  #after({ voice, entry }: Sound): Sound | undefined {
    const { message } = entry ?? {};
    const room = voice && message ? this.#context.chat.rooms.get(message.room) : undefined;
    for (const later of room?.timeline.list() ?? []) {
      if (message === undefined || later.seq <= message.seq || later.user.id !== message.user.id) continue;
      const { user, text: words, sentAt } = later;
      const own: Entry = { key: `${user.id}/${later.clientId}`, user, text: words, sentAt, message: later };
      const sounds = (later.files ?? []).map((file) => soundOf(this.#context, file, own));
      const unheard = sounds.find((sound) => sound.voice && !this.isHeard(sound));
      if (unheard !== undefined) return unheard;
    }
    return undefined;
  }

  #fail(): void {
    const { sound } = this;
    if (sound === undefined || !this.#audio.hasAttribute('src')) return;
    // Over another connection it may play.
    this.#left.set(sound.id, this.#audio.currentTime);
    this.#failed.add(sound.id);
    this.sound = undefined;
    unload(this.#audio);
    this.#tell();
  }

  readonly #tell = () => {
    for (const listener of this.#listeners) listener();
  };
}

/** Without `load` the browser keeps what it has, and the Play key of a keyboard goes on with it. */
function unload(media: HTMLMediaElement): void {
  media.pause();
  media.removeAttribute('src');
  media.load();
}
