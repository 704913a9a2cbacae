import { newId } from '../../chat/outbox.ts';
import type { Recordings } from '../../chat/recordings.ts';
import type { VoiceNote } from '../../chat/uploads.ts';
import { levelsOf } from '../media/wave.tsx';
import { Microphone } from './microphone.ts';
import { digitsOf, peaksOf, STEP_MS, shapeOf } from './peaks.ts';

export const MOST_MS = 5 * 60_000;
/** A file ends when it is so near to the most that the server takes: more of it is to come. */
const NEARLY = 0.9;

/** A voice message that is not sent. The browser keeps each part of it at once. */
export class Recording {
  readonly id: string;
  readonly place: string;
  readonly levels: number[] = [];
  /** A finger holds the button. */
  held = false;
  /** The finger has slid up. */
  slidUp = false;
  /** It is in sight. */
  shown = false;
  /** It is of the page before: nothing can be added. */
  restored = false;
  readonly #kept: Recordings;
  readonly #most: number;
  readonly #listeners = new Set<() => void>();
  #microphone: Microphone | undefined;
  #parts: Blob[] = [];
  #type = '';
  /** Milliseconds up to the last pause, and when it went on. */
  #before = 0;
  #since: number | undefined;
  #timer: ReturnType<typeof setInterval> | undefined;
  #closed = false;
  #address: string | undefined;

  /** @param most - bytes of a file */
  constructor(place: string, kept: Recordings, most: number, id = newId()) {
    this.id = id;
    this.place = place;
    this.#kept = kept;
    this.#most = most;
  }

  /** The recording of the page before; undefined if nothing of it is there. */
  static async restore(id: string, kept: Recordings, most: number): Promise<Recording | undefined> {
    const sound = await kept.sound(id);
    const note = kept.notes().get(id);
    if (sound === undefined || note === undefined) return undefined;
    const recording = new Recording(note.place, kept, most, id);
    recording.levels.push(...levelsOf(note.levels));
    recording.restored = true;
    recording.#parts = [sound];
    recording.#type = note.type;
    recording.#before = note.duration;
    return recording;
  }

  /** Calls it with each change, until the returned function is called. */
  follow(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  get isOn(): boolean {
    return this.#since !== undefined;
  }

  /** Milliseconds. */
  get duration(): number {
    const now = this.#since === undefined ? 0 : performance.now() - this.#since;
    return Math.min(MOST_MS, this.#before + now);
  }

  /** It cannot be any longer. */
  get full(): boolean {
    const bytes = this.#parts.reduce((sum, { size }) => sum + size, 0);
    return this.duration >= MOST_MS || bytes > this.#most * NEARLY;
  }

  /** False if it was not wanted any more when the user had allowed it; fails as `getUserMedia` does. */
  async open(wanted: () => boolean): Promise<boolean> {
    this.#microphone ??= new Microphone(
      (part) => this.#add(part),
      () => this.pause(),
    );
    if (!(await this.#microphone.open(() => wanted() && !this.#closed))) return false;
    this.#type = this.#microphone.type;
    this.#forgetAddress();
    this.#since = performance.now();
    this.#timer = setInterval(() => this.#tick(), STEP_MS);
    this.#tell();
    return true;
  }

  pause(): void {
    if (!this.#rest()) return;
    this.held = false;
    this.#microphone?.pause();
    this.#tell();
  }

  /** The file of what was recorded. */
  async file(): Promise<File> {
    this.#rest();
    await this.#microphone?.stop();
    const day = new Date().toISOString().slice(0, 10);
    const name = `voice-${day}.${this.#type === 'audio/mp4' ? 'm4a' : 'webm'}`;
    return new File(this.#parts, name, { type: this.#type });
  }

  get voice(): VoiceNote {
    return { duration: Math.round(this.duration), peaks: peaksOf(this.levels) };
  }

  /** How loud it is, in so many equal steps. */
  shape(steps: number): number[] {
    return shapeOf(this.levels, steps);
  }

  /** Where it can be listened to, while it is paused. */
  get address(): string {
    this.#address ??= URL.createObjectURL(new Blob(this.#parts, { type: this.#type }));
    return this.#address;
  }

  /** Adds nothing any more, and releases the microphone. The parts that are kept stay. */
  close(): void {
    this.#rest();
    this.#closed = true;
    this.#microphone?.stop().catch(() => {});
    this.#forgetAddress();
  }

  async discard(): Promise<void> {
    this.close();
    await this.#kept.delete(this.id);
  }

  /** It was discarded, and is there again. */
  bringBack(): Recording {
    const again = new Recording(this.place, this.#kept, this.#most);
    again.levels.push(...this.levels);
    again.restored = true;
    again.#type = this.#type;
    again.#before = this.duration;
    again.#add(new Blob(this.#parts, { type: this.#type }));
    return again;
  }

  /** False if it rests already. */
  #rest(): boolean {
    if (this.#since === undefined) return false;
    this.#before = this.duration;
    this.#since = undefined;
    clearInterval(this.#timer);
    return true;
  }

  #add(part: Blob): void {
    if (this.#closed) return;
    this.#parts.push(part);
    this.#forgetAddress();
    void this.#kept.add(this.id, this.#parts.length, part, {
      place: this.place,
      type: this.#type,
      duration: Math.round(this.duration),
      levels: digitsOf(this.levels),
    });
    this.#tell();
  }

  #tick(): void {
    const level = this.#microphone?.level ?? 0;
    // The timers of a hidden page are slower.
    while (this.levels.length * STEP_MS < this.duration) this.levels.push(level);
    if (this.full) this.pause();
    else this.#tell();
  }

  #forgetAddress(): void {
    if (this.#address !== undefined) URL.revokeObjectURL(this.#address);
    this.#address = undefined;
  }

  #tell(): void {
    for (const listener of this.#listeners) listener();
  }
}
