import { newId } from '../../chat/outbox.ts';
import type { Recordings } from '../../chat/recordings.ts';
import type { VoiceNote } from '../../chat/uploads.ts';
import { dayOf } from '../controls/date-fields.ts';
import { levelsOf } from '../media/wave.tsx';
import { Microphone } from './microphone.ts';
import { digitsOf, peaksOf, STEP_MS, shapeOf } from './peaks.ts';

export const MOST_MS = 5 * 60_000;
/** A recording ends at this share of the size limit, because its last part is still to come. */
const NEARLY = 0.9;

/** A voice message that is not sent yet. The browser stores each part immediately. */
export class Recording {
  readonly id: string;
  readonly place: string;
  readonly levels: number[] = [];
  /** Whether a finger holds the button. */
  held = false;
  /** Whether the finger slid up, which keeps recording without it. */
  slidUp = false;
  /** Whether its row is shown. */
  shown = false;
  /** Whether it was restored after a reload or by undo. Nothing can be added to it. */
  restored = false;
  readonly #kept: Recordings;
  readonly #most: number;
  readonly #listeners = new Set<() => void>();
  #microphone: Microphone | undefined;
  #parts: Blob[] = [];
  #type = '';
  /** The duration in milliseconds up to the last pause, and when recording continued. */
  #before = 0;
  #since: number | undefined;
  #timer: ReturnType<typeof setInterval> | undefined;
  #closed = false;
  #address: string | undefined;

  /** @param most - maximum size of the file in bytes */
  constructor(place: string, kept: Recordings, most: number, id = newId()) {
    this.id = id;
    this.place = place;
    this.#kept = kept;
    this.#most = most;
  }

  /** Restores a recording after a reload; undefined if none of its sound is stored. */
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

  /** Calls the listener on each change until the returned function is called. */
  follow(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  get isOn(): boolean {
    return this.#since !== undefined;
  }

  /** In milliseconds. */
  get duration(): number {
    const now = this.#since === undefined ? 0 : performance.now() - this.#since;
    return Math.min(MOST_MS, this.#before + now);
  }

  /** Whether it has reached its maximum duration or size. */
  get full(): boolean {
    const bytes = this.#parts.reduce((sum, { size }) => sum + size, 0);
    return this.duration >= MOST_MS || bytes > this.#most * NEARLY;
  }

  /**
   * Starts or resumes recording. Returns false if that is no longer wanted once the user has allowed it. Rejects like
   * `getUserMedia`.
   */
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

  /** Ends the recording and returns its file. */
  async file(): Promise<File> {
    this.#rest();
    await this.#microphone?.stop();
    const name = `voice-${dayOf(new Date())}.${this.#type === 'audio/mp4' ? 'm4a' : 'webm'}`;
    return new File(this.#parts, name, { type: this.#type });
  }

  get voice(): VoiceNote {
    return { duration: Math.round(this.duration), peaks: peaksOf(this.levels) };
  }

  /** The loudness in equal steps. */
  shape(steps: number): number[] {
    return shapeOf(this.levels, steps);
  }

  /** URL to play the recording while it is paused. */
  get address(): string {
    this.#address ??= URL.createObjectURL(new Blob(this.#parts, { type: this.#type }));
    return this.#address;
  }

  /** Ends the recording and releases the microphone. The stored parts remain. */
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

  /** Returns a copy of the discarded recording, and stores it again. */
  bringBack(): Recording {
    const again = new Recording(this.place, this.#kept, this.#most);
    again.levels.push(...this.levels);
    again.restored = true;
    again.#type = this.#type;
    again.#before = this.duration;
    again.#add(new Blob(this.#parts, { type: this.#type }));
    return again;
  }

  /** Stops measuring. Returns false if it is paused already. */
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
    // Timers are slower in a hidden page, so one tick may add several levels.
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
