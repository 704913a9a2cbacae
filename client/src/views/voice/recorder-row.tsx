import { Component, createRef } from 'preact';
import { clock } from '../../text/clock.ts';
import { confirms } from '../../text/keys.ts';
import type { Context } from '../context.ts';
import { Icon, IconButton } from '../controls/icon.tsx';
import type { Player, Sound } from '../media/player.ts';
import { Lines, Position, played } from '../media/wave.tsx';
import type { Recording } from './recording.ts';

/** Number of lines in the row. */
const LINES = 40;

interface Props {
  readonly context: Context;
  readonly player: Player;
  readonly recording: Recording;
  readonly acts: {
    send(): void;
    discard(): void;
    escape(event: KeyboardEvent): void;
    pause(): void;
    goOn(): void;
  };
}

/** Replaces the field while there is a recording. It redraws as it records and plays. */
export class RecorderRow extends Component<Props> {
  readonly #root = createRef<HTMLDivElement>();
  #stop: (() => void)[] = [];

  override componentDidMount(): void {
    const { recording, player } = this.props;
    recording.shown = true;
    this.#stop = [
      recording.follow(() => {
        // The room list may have replaced the row.
        if (recording.isOn && this.#root.current?.checkVisibility() === false) recording.pause();
        this.forceUpdate();
      }),
      player.follow(() => this.forceUpdate()),
    ];
    if (!recording.restored && !recording.held) this.#root.current?.focus();
  }

  override getSnapshotBeforeUpdate(): boolean {
    return this.#root.current?.matches(':focus-within') === true;
  }

  /** The focused button may have been removed. */
  override componentDidUpdate(_props: Props, _state: object, hadFocus: boolean): void {
    if (hadFocus && !this.getSnapshotBeforeUpdate()) this.#root.current?.focus();
  }

  override componentWillUnmount(): void {
    for (const stop of this.#stop) stop();
    this.props.recording.shown = false;
    this.props.recording.pause();
  }

  override render({ context: { strings }, recording, acts }: Props) {
    return (
      // biome-ignore lint/a11y/useSemanticElements: these are not form fields.
      <div
        class="rec"
        role="group"
        aria-label={strings.text('voice.recording')}
        tabIndex={-1}
        ref={this.#root}
        onKeyDown={this.#key}
      >
        {!recording.held && (
          <IconButton name="delete" label={strings.text('voice.discard')} press={acts.discard} />
        )}
        {recording.isOn ? this.#recorded() : this.#paused()}
      </div>
    );
  }

  #recorded() {
    const { context, recording, acts } = this.props;
    const { strings } = context;
    const last = recording.levels.slice(-LINES);
    return (
      <>
        <span class="rec-dot" aria-hidden="true" />
        <span class="num" role="timer">
          {clock(recording.duration, strings)}
        </span>
        {recording.held ? (
          <>
            <span class="slide">
              <Icon name="back" />
              {strings.text('voice.slide')}
            </span>
            <span class="lock" aria-hidden="true">
              <Icon name="lock" />
              <Icon name="up" />
            </span>
          </>
        ) : (
          <>
            <div class="wave">
              <Lines levels={[...new Array<number>(LINES - last.length).fill(0), ...last]} />
            </div>
            <IconButton name="pause" label={strings.text('voice.pause')} press={acts.pause} />
          </>
        )}
      </>
    );
  }

  #paused() {
    const { context, player, recording, acts } = this.props;
    const { strings } = context;
    const sound: Sound = {
      // A new ID for each duration, otherwise the player would continue the file from before the last addition.
      id: `${recording.id}/${recording.duration}`,
      address: recording.address,
      duration: recording.duration,
      voice: false,
    };
    const isOn = player.isOn(sound);
    const levels = recording.shape(LINES);
    return (
      <>
        <button
          type="button"
          class="icon"
          aria-label={strings.text(isOn ? 'media.pause' : 'media.play')}
          onClick={() => player.toggle(sound)}
        >
          <Icon name={isOn ? 'pause' : 'play'} />
        </button>
        <div class="wave held" style={played(player, sound)}>
          <Lines levels={levels} />
          <Lines levels={levels} />
          <Position context={context} player={player} sound={sound} />
        </div>
        <span class="num">
          {player.failed(sound) ? strings.text('media.failed') : clock(recording.duration, strings)}
        </span>
        {!recording.restored && !recording.full && (
          <IconButton name="mic" label={strings.text('voice.resume')} press={acts.goOn} />
        )}
      </>
    );
  }

  readonly #key = (event: KeyboardEvent) => {
    const { recording, acts } = this.props;
    const isOwn = event.target === event.currentTarget;
    if (event.key === 'Escape') return acts.escape(event);
    if (isOwn && confirms(event)) acts.send();
    else if (isOwn && event.key === ' ' && recording.isOn) acts.pause();
    else if (isOwn && event.key === ' ' && !recording.restored) acts.goOn();
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
}
