import { Component } from 'preact';
import type { MessageFile } from '../../../../server/wire/events.ts';
import type { Chat } from '../../chat/chat.ts';
import type { Follower } from '../../chat/chat-listener.ts';
import { gifDuration } from '../../text/gif-duration.ts';
import type { Context } from '../context.ts';
import { Icon } from '../controls/icon.tsx';
import { addressOf } from './address.ts';
import { Blur } from './blur.tsx';

/** A moving picture is played this many times, and then stands still. */
const TIMES = 3;
/** For one whose bytes cannot be had. */
const UNKNOWN_MS = 3000;
/** How long each takes to play once, by their ids. */
const durations = new Map<string, number>();

/** It is shown on the moderators' page, too. */
export interface PictureContext extends Pick<Context, 'strings'> {
  readonly chat: Pick<Chat, 'server' | 'connection' | 'followers'>;
}

interface Props {
  readonly context: PictureContext;
  readonly file: MessageFile;
  readonly alone: boolean;
  /** How many more stand behind it. */
  readonly more: number;
  open(opener: HTMLElement): void;
}

interface State {
  missing: 'gone' | 'later' | undefined;
  here: boolean;
  playing: boolean;
}

/** Whether that picture may move. */
export const moves = ({ type }: Pick<MessageFile, 'type'>) => type === 'image/gif';
/** The reader wants nothing to move. */
export const calm = () => matchMedia('(prefers-reduced-motion: reduce)').matches;

/**
 * A picture that is seen small, and opens large. A moving picture is played a few times, and again when the
 * pointer is on it.
 */
export class Picture extends Component<Props, State> {
  override state: State = { missing: undefined, here: false, playing: moves(this.props.file) && !calm() };
  #timer: ReturnType<typeof setTimeout> | undefined;
  #unmounted = false;
  /** Over a new connection it is asked for again. */
  readonly #follower: Follower = { ready: () => this.setState({ missing: undefined }) };

  override componentDidUpdate(): void {
    const { followers } = this.props.context.chat;
    if (this.state.missing === undefined) followers.delete(this.#follower);
    else followers.add(this.#follower);
  }

  override componentWillUnmount(): void {
    this.#unmounted = true;
    clearTimeout(this.#timer);
    this.props.context.chat.followers.delete(this.#follower);
  }

  override render({ context, file, more }: Props) {
    const { playing } = this.state;
    if (!moves(file) || !calm() || more > 0) return this.#picture();
    return (
      <div class="moving">
        {this.#picture()}
        <button
          type="button"
          class="icon"
          tabIndex={-1}
          aria-label={context.strings.text('file.play', { name: file.alt ?? file.name })}
          aria-pressed={playing}
          onClick={() => this.setState({ playing: !playing })}
        >
          <Icon name={playing ? 'pause' : 'play'} />
        </button>
      </div>
    );
  }

  #picture() {
    const { context, file, alone, more, open } = this.props;
    const { strings, chat } = context;
    const { missing, here, playing } = this.state;
    const gone = missing === 'gone';
    const { width = 4, height = 3, blur = '' } = file.image ?? {};
    const words = file.alt ?? file.name;
    const address = addressOf(chat, file);
    return (
      <button
        type="button"
        tabIndex={-1}
        class={gone ? 'missing' : undefined}
        style={alone ? { aspectRatio: `${width} / ${height}` } : undefined}
        aria-label={more > 0 ? `${words} ${strings.count('file.more', more)}` : words}
        onPointerEnter={() => moves(file) && !calm() && this.setState({ playing: true })}
        onClick={({ currentTarget }) => open(currentTarget)}
      >
        {!here && !gone && <Blur hash={blur} />}
        {gone && <span>{strings.text('file.gone')}</span>}
        {missing === undefined && (
          <img
            // Before the address: it would be asked for twice.
            crossorigin="use-credentials"
            loading="lazy"
            src={playing ? address : `${address}?size=preview`}
            alt=""
            decoding="async"
            onLoad={this.#loaded}
            onError={() =>
              this.setState({ missing: chat.connection.state.kind === 'ready' ? 'gone' : 'later' })
            }
          />
        )}
        {more > 0 && (
          <span class="rest" aria-hidden="true">
            {`+${more}`}
          </span>
        )}
      </button>
    );
  }

  readonly #loaded = () => {
    this.setState({ here: true });
    clearTimeout(this.#timer);
    if (this.state.playing) void this.#stopInTime();
  };

  async #stopInTime(): Promise<void> {
    const { context, file } = this.props;
    let duration = durations.get(file.id);
    if (duration === undefined) {
      try {
        // The browser has it already, as long as it has not changed.
        const answer = await fetch(addressOf(context.chat, file), { credentials: 'include' });
        duration = gifDuration(new Uint8Array(await answer.arrayBuffer()));
      } catch {
        duration = UNKNOWN_MS;
      }
      durations.set(file.id, duration);
    }
    if (this.#unmounted) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.setState({ playing: false }), TIMES * duration);
  }
}
