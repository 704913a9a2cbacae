import { withLock } from '../../chat/tab-lock.ts';
import { clock } from '../../text/clock.ts';
import type { Context, VoiceControls, VoicePlace } from '../context.ts';
import { keyOf } from '../context.ts';
import { Icon } from '../controls/icon.tsx';
import type { FileViews } from '../files/file-views.tsx';
import type { Player } from '../media/player.ts';
import type { Speaker } from '../speaker.tsx';
import type { Hold, HoldEnd } from './hold.ts';
import { RecorderRow } from './recorder-row.tsx';
import { MOST_MS, Recording } from './recording.ts';

/** Shorter recordings are discarded as accidental. */
const LEAST_MS = 1000;
/** The remaining time is shown when less than this is left. */
const LAST_MS = 30_000;
/** How long the status shows why nothing can be recorded. */
const PROBLEM_MS = 10_000;

/** The unsent recordings of one element, at most one in each room or thread. */
export class Recorder {
  readonly #context: Context;
  readonly #files: FileViews;
  readonly #player: Player;
  readonly #speaker: Speaker;
  readonly #all = new Map<string, Recording>();
  /** Recordings that the user sent before their file was complete. */
  readonly #ending = new Set<Recording>();
  /** Functions that release the locks, by recording ID. The lock tells other tabs that this tab has the recording. */
  readonly #locks = new Map<string, () => void>();
  /** The discarded recording, while its room or thread has no newer one. */
  #undoable: Recording | undefined;
  /** The recording that waits for permission to use the microphone. */
  #asking: Recording | undefined;
  /** The room or thread in which recording failed, and why. */
  #problem: { readonly place: string; readonly text: 'voice.blocked' | 'voice.none' } | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(context: Context, files: FileViews, player: Player, speaker: Speaker) {
    this.#context = context;
    this.#files = files;
    this.#player = player;
    this.#speaker = speaker;
  }

  controls(place: VoicePlace, mic: (isHeld: boolean) => VoiceControls['end']): VoiceControls {
    const { strings } = this.#context;
    const key = keyOf(place);
    const recording = this.#all.get(key);
    if (recording === undefined) return { status: this.#why(key), end: mic(false) };
    const waits = this.#waits(place);
    const acts = {
      send: () => void this.#send(place),
      discard: () => this.#discard(place),
      escape: (event: KeyboardEvent) => {
        if (event.key !== 'Escape') return;
        event.preventDefault();
        event.stopPropagation();
        this.#discard(place);
      },
      pause: () => recording.pause(),
      goOn: () => void this.#goOn(recording),
    };
    return {
      status: this.#why(key) ?? this.#status(recording),
      row: (
        <RecorderRow
          key={recording.id}
          context={this.#context}
          player={this.#player}
          recording={recording}
          acts={acts}
        />
      ),
      end: recording.held ? (
        mic(true)
      ) : (
        <button
          key="send"
          type="button"
          class="send"
          aria-label={strings.text('voice.send')}
          aria-disabled={waits || undefined}
          onClick={acts.send}
          onKeyDown={acts.escape}
        >
          <Icon name="send" />
        </button>
      ),
    };
  }

  /** @param hold - the finger on the button; absent after a click */
  async start(place: VoicePlace, hold?: Hold): Promise<void> {
    const key = keyOf(place);
    const { chat } = this.#context;
    const { recordings } = this.#files;
    if (this.#asking !== undefined || this.#all.has(key) || recordings === undefined) return;
    this.pause();
    this.#player.hush();
    const recording = new Recording(key, recordings, chat.limits.file);
    const isHeld = () => hold === undefined || hold.end === undefined || hold.end === 'up';
    if (!(await this.#open(recording, () => isHeld() && chat.current === place.room))) {
      recording.close();
      if (hold?.end !== undefined && this.#problem === undefined) this.#tooShort();
      return;
    }
    recording.held = hold !== undefined && hold.end === undefined;
    recording.slidUp = hold?.end === 'up';
    if (hold !== undefined) hold.ended = (end) => this.#letGo(place, recording, end);
    await this.#put(recording);
  }

  /** Shows a recording from before the page was reloaded. */
  async restore(place: string): Promise<void> {
    const { recordings } = this.#files;
    const { chat } = this.#context;
    for (const [id, note] of recordings?.notes() ?? []) {
      if (note.place !== place || note.sent === true || this.#all.has(place)) continue;
      if (recordings === undefined || !(await this.#lock(id))) continue;
      const recording = await Recording.restore(id, recordings, chat.limits.file);
      // The session may have ended, or another recording may have started.
      if (recording !== undefined && this.#locks.has(id) && !this.#all.has(place)) await this.#put(recording);
      else this.#unlock(id);
    }
  }

  /** @param except - key of the room or thread whose recording continues */
  pause(except?: string): void {
    for (const [place, recording] of this.#all) if (place !== except) recording.pause();
  }

  /** Ends all recordings, because the session may have expired. Their stored parts remain. */
  clear(): void {
    for (const recording of [...this.#all.values(), ...this.#ending]) recording.close();
    this.#asking?.close();
    this.#all.clear();
    this.#undoable = undefined;
    this.#ending.clear();
    for (const id of [...this.#locks.keys()]) this.#unlock(id);
    this.#problem = undefined;
    clearTimeout(this.#timer);
  }

  async #put(recording: Recording): Promise<void> {
    this.#all.set(recording.place, recording);
    if (this.#undoable?.place === recording.place) this.#undoable = undefined;
    let [wasOn, shown] = [recording.isOn, ''];
    recording.follow(() => {
      if (this.#all.get(recording.place) !== recording) return;
      const { strings, changed } = this.#context;
      if (wasOn && !recording.isOn)
        this.#speaker.say(strings.text('say.recorded', { time: clock(recording.duration, strings) }));
      wasOn = recording.isOn;
      const left = MOST_MS - recording.duration;
      const look = [wasOn, recording.held, recording.full, left < LAST_MS && Math.ceil(left / 1000)].join();
      if (look !== shown) changed();
      shown = look;
    });
    this.#context.draw();
    // A recording must not continue if its row is not shown.
    if (!recording.shown) recording.pause();
    if (!this.#locks.has(recording.id)) await this.#lock(recording.id);
  }

  /** Returns false if the recording is no longer wanted, or is not possible. */
  async #open(recording: Recording, isWanted: () => boolean): Promise<boolean> {
    this.#problem = undefined;
    this.#asking = recording;
    this.#context.changed();
    try {
      return await recording.open(isWanted);
    } catch (error) {
      const { name } = error as Error;
      const isBlocked = name === 'NotAllowedError' || name === 'SecurityError';
      this.#say(recording.place, isBlocked ? 'voice.blocked' : 'voice.none');
      return false;
    } finally {
      this.#asking = undefined;
    }
  }

  async #goOn(recording: Recording): Promise<void> {
    if (this.#asking !== undefined || recording.full) return;
    this.#player.hush();
    // The user may have left the room before allowing the microphone.
    await this.#open(recording, () => recording.shown);
  }

  #letGo(place: VoicePlace, recording: Recording, end: HoldEnd): void {
    if (!recording.isOn || !recording.held) return;
    recording.held = false;
    recording.slidUp = end === 'up';
    if (end === 'let go' && !this.#waits(place)) void this.#send(place);
    else if (end === 'start') this.#discard(place);
    else if (end !== 'up') recording.pause();
    this.#context.changed();
  }

  async #send(place: VoicePlace): Promise<void> {
    const { strings, toast, draw } = this.#context;
    const recording = this.#all.get(keyOf(place));
    if (recording === undefined || this.#waits(place)) return;
    if (recording.duration < LEAST_MS) {
      void this.#remove(recording).discard();
      this.#tooShort();
      return draw();
    }
    this.#all.delete(recording.place);
    this.#ending.add(recording);
    draw();
    const file = await recording.file();
    // If the session has ended, the recording stays stored for its user.
    if (!this.#ending.delete(recording)) return;
    if (!this.#files.sendVoice(place, file, recording.voice, recording.id)) {
      await this.#put(recording);
      return toast(strings.text('error.other'), 'bad');
    }
    this.#remove(recording).close();
    this.#speaker.say(strings.text('say.sentVoice'));
    place.sent();
  }

  #discard(place: VoicePlace): void {
    const { strings, toast, draw, focus, chat } = this.#context;
    const recording = this.#all.get(keyOf(place));
    if (recording === undefined) return;
    const user = chat.me?.id;
    const isShort = recording.duration < LEAST_MS;
    void this.#remove(recording).discard();
    if (isShort) this.#tooShort();
    else {
      this.#undoable = recording;
      toast(strings.text('voice.discarded'), 'good', {
        label: 'common.undo',
        over: () => this.#undoable !== recording || this.#asking?.place === recording.place,
        run: () => {
          if (chat.me?.id !== user) return;
          void this.#put(recording.bringBack());
          focus('.rec');
        },
      });
    }
    draw();
  }

  #remove(recording: Recording): Recording {
    recording.held = false;
    if (this.#player.sound?.id.startsWith(recording.id) === true) this.#player.stop();
    this.#all.delete(recording.place);
    this.#unlock(recording.id);
    return recording;
  }

  #tooShort(): void {
    const { strings, toast } = this.#context;
    toast(strings.text('voice.short'), 'bad');
  }

  #say(place: string, text: 'voice.blocked' | 'voice.none'): void {
    this.#problem = { place, text };
    this.#speaker.alert(this.#context.strings.text(text));
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#problem = undefined;
      this.#context.changed();
    }, PROBLEM_MS);
    this.#context.changed();
  }

  #why(place: string) {
    return this.#problem?.place === place ? (
      <span class="bad">
        <Icon name="alert" size="s" />
        {this.#context.strings.text(this.#problem.text)}
      </span>
    ) : undefined;
  }

  #status(recording: Recording) {
    const { strings, touch } = this.#context;
    if (!recording.isOn) {
      if (recording.full) return strings.text('voice.full');
      return strings.text(recording.restored ? 'voice.kept' : 'voice.paused');
    }
    const left = MOST_MS - recording.duration;
    if (left < LAST_MS) {
      const time = clock(Math.ceil(left / 1000) * 1000, strings);
      return <span class="count over">{strings.text('voice.left', { time })}</span>;
    }
    if (recording.slidUp) return strings.text('voice.locked');
    return recording.held || touch() ? '' : strings.text('voice.hint');
  }

  /** Whether slow mode prevents sending now. */
  #waits({ room }: VoicePlace): boolean {
    return this.#context.bar(room)?.wait === true;
  }

  /** Returns false if another tab has the recording. */
  #lock(id: string): Promise<boolean> {
    return new Promise((resolve) => {
      void withLock(`php-chat/voice/${id}`, { ifAvailable: true }, async (isFree) => {
        resolve(isFree);
        if (isFree) await new Promise<void>((free) => this.#locks.set(id, free));
      });
    });
  }

  #unlock(id: string): void {
    this.#locks.get(id)?.();
    this.#locks.delete(id);
  }
}
