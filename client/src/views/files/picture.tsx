import { Component } from 'preact';
import type { MessageFile } from '../../../../server/wire/events.ts';
import type { Chat } from '../../chat/chat.ts';
import type { Follower } from '../../chat/chat-listener.ts';
import { gifDuration } from '../../text/gif-duration.ts';
import type { Context } from '../context.ts';
import { Icon } from '../controls/icon.tsx';
import { addressOf } from './address.ts';
import { Blur } from './blur.tsx';

/** An animated picture plays this many times, then stops. */
const TIMES = 3;
/** Assumed duration if the file cannot be read. */
const UNKNOWN_MS = 3000;
/** Duration of one run in milliseconds, by file ID. */
const durations = new Map<string, number>();

/** The part of the context that a picture needs. The moderators' page has it too. */
export interface PictureContext extends Pick<Context, 'strings'> {
  readonly chat: Pick<Chat, 'server' | 'connection' | 'followers'>;
}

interface Props {
  readonly context: PictureContext;
  readonly file: MessageFile;
  readonly alone: boolean;
  /** Number of further pictures that are not shown. */
  readonly more: number;
  open(opener: HTMLElement): void;
}

interface State {
  missing: 'gone' | 'later' | undefined;
  here: boolean;
  playing: boolean;
}

/** Whether the picture may be animated. */
export const moves = ({ type }: Pick<MessageFile, 'type'>) => type === 'image/gif';
/** Whether the user prefers reduced motion. */
export const calm = () => matchMedia('(prefers-reduced-motion: reduce)').matches;

/** A small picture that opens large. An animated picture plays `TIMES` times, and again when the pointer enters it. */
export class Picture extends Component<Props, State> {
  override state: State = { missing: undefined, here: false, playing: moves(this.props.file) && !calm() };
  #timer: ReturnType<typeof setTimeout> | undefined;
  #unmounted = false;
  /** The address of the loaded picture. With another `fileAccess`, the browser would load it again. */
  #loadedFrom: { of: string; address: string } | undefined;
  /** Requests the picture again after a reconnect. */
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
    const size = playing ? undefined : 'preview';
    const of = `${file.id} ${size}`;
    const address = this.#loadedFrom?.of === of ? this.#loadedFrom.address : addressOf(chat, file, size);
    const { width = 4, height = 3, blur = '' } = file.image ?? {};
    const words = file.alt ?? file.name;
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
            // Before `src`, otherwise the browser requests the picture twice.
            crossorigin="use-credentials"
            loading="lazy"
            src={address}
            alt=""
            decoding="async"
            onLoad={() => {
              this.#loadedFrom = { of, address };
              this.#loaded();
            }}
            onError={() => {
              this.#loadedFrom = undefined;
              this.setState({ missing: chat.connection.state.kind === 'ready' ? 'gone' : 'later' });
            }}
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

  #loaded(): void {
    this.setState({ here: true });
    clearTimeout(this.#timer);
    if (this.state.playing) void this.#stopInTime();
  }

  async #stopInTime(): Promise<void> {
    const { context, file } = this.props;
    let duration = durations.get(file.id);
    if (duration === undefined) {
      try {
        // The browser usually has it in its cache.
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
