import { Component } from 'preact';
import type { MessageFile } from '../../../../server/wire/events.ts';
import type { Entry } from '../../store/entries.ts';
import style from '../../styles/media.css?inline';
import { sheetOf } from '../../styles/styles.ts';
import { clock } from '../../text/clock.ts';
import type { Context } from '../context.ts';
import { IconButton } from '../controls/icon.tsx';
import { Player, type Sound } from './player.ts';
import { Play, ShownSound, Speed, Track } from './sounds.tsx';
import { ShownVideo } from './video.tsx';

export const sheet = sheetOf(style);

/** The sounds and videos of one element. */
export class Media {
  readonly #context: Context;
  readonly player: Player;
  /** IDs of the visible players. */
  readonly #inSight = new Set<string>();
  #drawn: Sound | undefined;

  constructor(context: Context, signal: AbortSignal) {
    this.#context = context;
    this.player = new Player(context, signal);
    context.chat.followers.add(this.player);
    this.player.follow(() => {
      if (this.#away() !== this.#drawn) context.changed();
    });
  }

  /** Returns undefined for a file that is neither sound nor video, or that this browser cannot play. */
  shown(file: MessageFile, entry: Entry) {
    const kind = file.audio ? 'audio' : file.video ? 'video' : undefined;
    if (kind === undefined || document.createElement(kind).canPlayType(file.type) === '') return undefined;
    const props = { context: this.#context, player: this.player, file, key: file.id };
    return kind === 'video' ? (
      <ShownVideo {...props} />
    ) : (
      <ShownSound {...props} entry={entry} seen={this.#seen} />
    );
  }

  /** Shown above the timeline while something plays out of view. */
  bar() {
    const sound = this.#away();
    this.#drawn = sound;
    return sound && <Playing context={this.#context} player={this.player} sound={sound} />;
  }

  /** Stops playback, because the session may have expired. */
  clear(): void {
    this.player.stop();
  }

  #away(): Sound | undefined {
    const { sound, underWay } = this.player;
    return !underWay || sound?.entry === undefined || this.#inSight.has(sound.id) ? undefined : sound;
  }

  readonly #seen = (id: string, isSeen: boolean) => {
    if (isSeen) this.#inSight.add(id);
    else this.#inSight.delete(id);
    if (this.#away() !== this.#drawn) this.#context.changed();
  };
}

interface PlayingProps {
  readonly context: Context;
  readonly player: Player;
  readonly sound: Sound;
}

class Playing extends Component<PlayingProps> {
  #stop: (() => void) | undefined;

  override componentDidMount(): void {
    this.#stop = this.props.player.follow(() => this.forceUpdate());
  }

  override componentWillUnmount(): void {
    this.#stop?.();
  }

  override render({ context, player, sound }: PlayingProps) {
    const { strings } = context;
    const { message } = sound.entry ?? {};
    return (
      <section class="pins playing" aria-label={strings.text('media.playing')}>
        <Play context={context} player={player} sound={sound} />
        <button
          type="button"
          class="link"
          onClick={() => message && context.jump({ room: message.room, seq: message.seq })}
        >
          <bdi>{message && strings.name(message.user)}</bdi>
        </button>
        <Track context={context} player={player} sound={sound} />
        <span class="num">{clock(player.at(sound), strings)}</span>
        {sound.voice && <Speed context={context} player={player} />}
        <IconButton name="close" label={strings.text('media.stop')} press={() => player.stop()} />
      </section>
    );
  }
}
