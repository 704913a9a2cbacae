import { Component, createRef } from 'preact';
import type { MessageFile } from '../../../../server/wire/events.ts';
import type { Entry } from '../../store/entries.ts';
import { clock } from '../../text/clock.ts';
import type { Context } from '../context.ts';
import { Icon } from '../controls/icon.tsx';
import { addressOf } from '../files/address.ts';
import { type Player, type Sound, soundOf } from './player.ts';
import { Lines, levelsOf, Position, played } from './wave.tsx';

interface Props {
  readonly context: Context;
  readonly player: Player;
  readonly file: MessageFile;
  readonly entry: Entry;
  /** Reports whether the player is visible. */
  seen(id: string, isSeen: boolean): void;
}

/** A voice message, or the row of another sound. It redraws as it plays. */
export class ShownSound extends Component<Props> {
  readonly #root = createRef<HTMLDivElement>();
  #stop: (() => void) | undefined;
  #observer: IntersectionObserver | undefined;
  #drawn = '';

  override componentDidMount(): void {
    const { player, file, seen } = this.props;
    this.#stop = player.follow(() => {
      if (this.#look() !== this.#drawn) this.forceUpdate();
    });
    const root = this.#root.current;
    if (root === null) return;
    this.#observer = new IntersectionObserver((changes) =>
      seen(file.id, changes.at(-1)?.isIntersecting === true),
    );
    this.#observer.observe(root);
  }

  override componentWillUnmount(): void {
    this.#stop?.();
    this.#observer?.disconnect();
    this.props.seen(this.props.file.id, false);
  }

  override render({ context, player, file, entry }: Props) {
    const sound = soundOf(context, file, entry);
    this.#drawn = this.#look();
    const { peaks } = file.audio ?? {};
    return peaks === undefined ? (
      <div class="audio" ref={this.#root}>
        <Play context={context} player={player} sound={sound} />
        <b>
          <bdi>{file.name}</bdi>
        </b>
        <a
          class="icon"
          href={addressOf(context.chat, file)}
          download={file.name}
          tabIndex={-1}
          aria-label={context.strings.text('file.download', { name: file.name })}
        >
          <Icon name="save" />
        </a>
        {player.failed(sound) ? (
          <span class="line2">{context.strings.text('media.failed')}</span>
        ) : (
          this.#line(sound)
        )}
      </div>
    ) : (
      this.#voice(sound, peaks)
    );
  }

  /** All values that the rendering depends on. */
  #look(): string {
    const { context, player, file, entry } = this.props;
    const sound = soundOf(context, file, entry);
    return [
      player.isOn(sound),
      player.at(sound),
      player.duration(sound),
      player.failed(sound),
      player.isHeard(sound),
      player.speed,
    ].join();
  }

  #line(sound: Sound) {
    const { context, player } = this.props;
    const duration = player.duration(sound);
    return (
      <div class="line2">
        <span class="num">{clock(player.at(sound), context.strings)}</span>
        <Track context={context} player={player} sound={sound} />
        {duration > 0 && <span class="num">{clock(duration, context.strings)}</span>}
      </div>
    );
  }

  #voice(sound: Sound, peaks: string) {
    const { context, player, file } = this.props;
    const { strings } = context;
    const duration = player.duration(sound);
    const at = player.at(sound);
    const levels = levelsOf(peaks);
    const failed = player.failed(sound);
    return (
      // biome-ignore lint/a11y/useSemanticElements: these are not form fields.
      <div
        class="voice"
        role="group"
        aria-label={strings.text('voice.label', { time: clock(duration, strings) })}
        ref={this.#root}
      >
        <Play context={context} player={player} sound={sound} />
        <div class="wave" style={played(player, sound)}>
          <Lines levels={levels} />
          <Lines levels={levels} />
          <Position context={context} player={player} sound={sound} />
        </div>
        <span class="num">
          {failed
            ? strings.text('media.failed')
            : clock(at > 0 ? Math.max(0, duration - at) : duration, strings)}
          {!player.isHeard(sound) && (
            <span class="unheard" role="img" aria-label={strings.text('voice.unheard')} />
          )}
        </span>
        {failed ? (
          <a class="speed" href={addressOf(context.chat, file)} download={file.name} tabIndex={-1}>
            {strings.text('common.save')}
          </a>
        ) : (
          <Speed context={context} player={player} />
        )}
      </div>
    );
  }
}

interface PartProps {
  readonly context: Context;
  readonly player: Player;
  readonly sound: Sound;
}

export function Play({ context, player, sound }: PartProps) {
  const isOn = player.isOn(sound);
  return (
    <button
      type="button"
      class="play"
      tabIndex={-1}
      aria-label={context.strings.text(isOn ? 'media.pause' : 'media.play')}
      onClick={() => player.toggle(sound)}
    >
      <Icon name={isOn ? 'pause' : 'play'} />
    </button>
  );
}

export function Track(props: PartProps) {
  return (
    <div class="track" style={played(props.player, props.sound)}>
      <i />
      <Position {...props} />
    </div>
  );
}

export function Speed({ context: { strings }, player }: Pick<PartProps, 'context' | 'player'>) {
  const n = new Intl.NumberFormat(strings.locale).format(player.speed);
  return (
    <button
      type="button"
      class="speed"
      tabIndex={-1}
      aria-label={strings.text('media.speed', { n })}
      onClick={() => player.faster()}
    >
      {n}×
    </button>
  );
}
