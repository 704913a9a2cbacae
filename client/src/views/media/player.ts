import type { EventPayload, MessageFile } from '../../../../server/wire/events.ts';
import type { Follower } from '../../chat/chat-listener.ts';
import { list, number, text } from '../../chat/form.ts';
import type { Entry } from '../../store/entries.ts';
import type { Room } from '../../store/room.ts';
import type { Context } from '../context.ts';
import { addressOf } from '../files/address.ts';

/** A sound that can be played: in a message, or an unsent recording. */
export interface Sound {
  readonly id: string;
  readonly address: string;
  /** The duration in milliseconds; undefined if unknown. */
  readonly duration: number | undefined;
  readonly voice: boolean;
  /** The message that contains it. */
  readonly entry?: Entry | undefined;
}

export const soundOf = (context: Context, file: MessageFile, entry: Entry): Sound => ({
  id: file.id,
  address: addressOf(context.chat, file),
  duration: file.audio?.duration,
  voice: file.audio?.peaks !== undefined,
  entry,
});

/** Maximum number of voice messages remembered as played in this browser. Older ones count as not played. */
const MOST_HEARD = 1000;
const SPEEDS = [1, 1.5, 2];

/** Plays one sound or video of an element at a time, as long as the user may see its message. */
export class Player implements Follower {
  readonly #context: Context;
  readonly #audio = new Audio();
  readonly #listeners = new Set<() => void>();
  readonly #failed = new Set<string>();
  /** Positions in seconds at which other sounds were left. */
  readonly #left = new Map<string, number>();
  #video: HTMLVideoElement | undefined;
  /** The sound that plays, or was paused last. */
  sound: Sound | undefined;

  constructor(context: Context, signal: AbortSignal) {
    this.#context = context;
    // Set before any `src`, so that requests to another origin include the cookie.
    this.#audio.crossOrigin = 'use-credentials';
    this.#audio.preload = 'metadata';
    for (const type of ['timeupdate', 'play', 'pause', 'durationchange', 'seeked'])
      this.#audio.addEventListener(type, this.#tell, { signal });
    this.#audio.addEventListener('ended', () => this.#ended(), { signal });
    this.#audio.addEventListener('error', () => this.#fail(), { signal });
    signal.addEventListener('abort', () => this.stop());
  }

  /** Calls the listener on each change until the returned function is called. */
  follow(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  isOn({ id }: Sound): boolean {
    return this.sound?.id === id && !this.#audio.paused;
  }

  /** Whether the sound plays, or was paused before its end. */
  get underWay(): boolean {
    return !this.#audio.paused || this.#audio.currentTime > 0;
  }

  failed({ id }: Sound): boolean {
    return this.#failed.has(id);
  }

  /** Position in milliseconds. */
  at({ id }: Sound): number {
    return (this.sound?.id === id ? this.#audio.currentTime : (this.#left.get(id) ?? 0)) * 1000;
  }

  /** Duration in milliseconds; 0 if unknown. Browsers do not know the duration of a recording. */
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
      // It was paused before it began, or another sound was chosen.
      if (error.name !== 'AbortError' && this.sound === sound) this.#fail();
    });
  }

  /** @param ms - position from the start */
  seek(sound: Sound, ms: number): void {
    this.#load(sound);
    const end = this.duration(sound) || Infinity;
    this.#audio.currentTime = Math.max(0, Math.min(ms, end)) / 1000;
    this.#tell();
  }

  /** Call when a video starts to play. Pauses everything else. */
  give(video: HTMLVideoElement): void {
    this.#audio.pause();
    if (this.#video !== video) this.#video?.pause();
    this.#video = video;
  }

  /** Call when a video is no longer shown. */
  release(video: HTMLVideoElement): void {
    unload(video);
    if (this.#video === video) this.#video = undefined;
  }

  /** Pauses the sound and the video. */
  hush(): void {
    this.#audio.pause();
    this.#video?.pause();
  }

  /** Stops playback and discards all positions. */
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
    this.#stopIf(({ message, unsent, held }) => (message ?? unsent ?? held)?.room === id);
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

  /** Returns the next voice message by the same author that was not played yet. */
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
    // Stores the position, because it may play after a reconnect.
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

/** Without `load()` the browser keeps the media, and the Play key of a keyboard continues it. */
function unload(media: HTMLMediaElement): void {
  media.pause();
  media.removeAttribute('src');
  media.load();
}
