import type { Follower } from '../../chat/chat-listener.ts';
import type { Context, VoiceControls, VoicePlace } from '../context.ts';
import { keyOf } from '../context.ts';
import { Icon } from '../controls/icon.tsx';
import type { FileViews } from '../files/file-views.tsx';
import { Late } from '../late.ts';
import type { Speaker } from '../speaker.tsx';
import { Hold } from './hold.ts';
import type { Recorder } from './recorder.tsx';

/** Loaded with the first recording. */
const code = new Late(() => import('./recorder.tsx'));

/** The button that records voice messages, and the recorder that replaces the field. */
export class Voice implements Follower {
  readonly #context: Context;
  readonly #files: FileViews;
  readonly #speaker: Speaker;
  readonly #signal: AbortSignal;
  /** Keys of the rooms and threads that were checked for a recording from before a reload. */
  readonly #looked = new Set<string>();
  #recorder: Recorder | undefined;
  /** The last touch was a hold, so the click after it must not start a recording. */
  #wasHeld = false;

  constructor(context: Context, files: FileViews, speaker: Speaker, signal: AbortSignal) {
    this.#context = context;
    this.#files = files;
    this.#speaker = speaker;
    this.#signal = signal;
    signal.addEventListener('abort', () => this.clear());
  }

  ready(): void {
    this.#looked.clear();
  }

  /** Returns undefined if the user may not send files to the room, or the browser cannot record. */
  controls(place: VoicePlace): VoiceControls | undefined {
    if (!this.#files.may(place.room) || !canRecord()) return undefined;
    this.#look(place);
    const mic = (isHeld: boolean) => this.#mic(place, isHeld);
    return this.#recorder?.controls(place, mic) ?? { end: mic(false) };
  }

  /** @param except - key of the room or thread whose recording continues */
  pause(except?: string): void {
    this.#recorder?.pause(except);
  }

  /** Ends all recordings, because the session may have expired. */
  clear(): void {
    this.#looked.clear();
    this.#recorder?.clear();
  }

  #mic(place: VoicePlace, isHeld: boolean) {
    return (
      <button
        key="mic"
        type="button"
        class={isHeld ? 'icon mic held' : 'icon mic'}
        aria-label={this.#context.strings.text('voice.record')}
        onPointerDown={(event) => this.#down(event, place)}
        onContextMenu={(event) => event.preventDefault()}
        onClick={({ detail }) => {
          // The second click of a double-click may be meant for the send button, which was here.
          const isTap = detail < 2 && (!this.#wasHeld || detail === 0);
          this.#wasHeld = false;
          if (isTap) void this.#start(place);
        }}
      >
        <Icon name="mic" />
      </button>
    );
  }

  #down(event: PointerEvent, place: VoicePlace): void {
    this.#wasHeld = false;
    if (event.pointerType !== 'touch' || !event.isPrimary) return;
    const hold = new Hold(event, () => {
      this.#wasHeld = true;
      void this.#start(place, hold);
    });
  }

  async #start(place: VoicePlace, hold?: Hold): Promise<void> {
    const { strings, toast } = this.#context;
    try {
      const recorder = await this.#load();
      await recorder.start(place, hold);
    } catch {
      // The code may have failed to load without a connection.
      if (!this.#signal.aborted) toast(strings.text('error.other'), 'bad');
    }
  }

  /** Shows a recording from before the page was reloaded. */
  #look(place: VoicePlace): void {
    const key = keyOf(place);
    if (this.#looked.has(key)) return;
    this.#looked.add(key);
    const notes = [...(this.#files.recordings?.notes().values() ?? [])];
    if (!notes.some((note) => note.place === key && note.sent !== true)) return;
    this.#load()
      .then((recorder) => recorder.restore(key))
      // The check is repeated when the room is shown after a reconnect.
      .catch(() => {});
  }

  async #load(): Promise<Recorder> {
    const [{ Recorder }, { player }] = await Promise.all([code.load(), this.#files.media()]);
    this.#signal.throwIfAborted();
    this.#recorder ??= new Recorder(this.#context, this.#files, player, this.#speaker);
    return this.#recorder;
  }
}

/** Browsers offer the microphone only in secure contexts. */
const canRecord = () => 'mediaDevices' in navigator && 'MediaRecorder' in window;
