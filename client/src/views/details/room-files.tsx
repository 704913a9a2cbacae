import { Component, createRef } from 'preact';
import { firstPage, isPage, linksIn } from '../../../../server/text/format.ts';
import type { Message } from '../../../../server/wire/events.ts';
import type { Follower } from '../../chat/chat-listener.ts';
import { RequestError } from '../../connection/connection-state.ts';
import { entries } from '../../store/entries.ts';
import type { Room } from '../../store/room.ts';
import type { Context } from '../context.ts';
import { Bones } from '../controls/bones.tsx';
import { Empty } from '../controls/empty.tsx';
import { Icon } from '../controls/icon.tsx';
import { RovingList } from '../controls/roving-list.tsx';
import { Segments } from '../controls/rows.tsx';
import { addressOf } from '../files/address.ts';
import { fileSize } from '../files/file-size.ts';
import { openLargeView } from '../files/large-view.tsx';
import { Picture } from '../files/picture.tsx';
import { listTime } from '../rooms/list-time.ts';

const kinds = ['pictures', 'files', 'links'] as const;
type Kind = (typeof kinds)[number];

const ITEMS = '.pics button, .filelist a';
/** The next page is fetched within this distance of the end, in CSS pixels. */
const AHEAD = 300;

interface Props {
  readonly context: Context;
  readonly room: Room;
}

interface State {
  what: Kind;
  /** Newest first; undefined before the first response. */
  messages: readonly Message[] | undefined;
  complete: boolean;
  failed: boolean;
}

const nothing = { messages: undefined, complete: false, failed: false };

/** The pictures, files and links of a room, page by page. */
export class RoomFiles extends Component<Props, State> implements Follower {
  override state: State = { what: 'pictures', ...nothing };
  readonly #list = createRef<HTMLDivElement>();
  readonly #again = createRef<HTMLButtonElement>();
  #asked = 0;
  #busy = false;

  override componentDidMount(): void {
    this.props.context.chat.followers.add(this);
    void this.#load();
  }

  override getSnapshotBeforeUpdate(): number | undefined {
    return this.#again.current?.matches(':focus') === true ? this.#items.length : undefined;
  }

  /**
   * After a retry succeeded, moves the focus to the first new item.
   *
   * @param before - number of items before the update, if the retry button had the focus
   */
  override componentDidUpdate(_props: Props, _state: State, before: number | undefined): void {
    if (before !== undefined && this.#again.current === null) {
      const chosen =
        this.#list.current?.previousElementSibling?.querySelector<HTMLElement>('[aria-pressed=true]');
      (this.#items[before] ?? this.#items.at(-1) ?? chosen)?.focus();
    }
    this.#extend();
  }

  override componentWillUnmount(): void {
    this.#asked++;
    this.props.context.chat.followers.delete(this);
  }

  ready(): void {
    this.#begin(this.state.what);
  }

  reset(room: Room): void {
    if (room === this.props.room) this.#begin(this.state.what);
  }

  /** Handles a new, edited or deleted message. */
  message(message: Message): void {
    const { messages, what, complete } = this.state;
    if (message.room !== this.props.room.id || messages === undefined) return;
    const others = messages.filter(({ seq }) => seq !== message.seq);
    const isHere = complete || message.seq > (messages.at(-1)?.seq ?? 0);
    const now = isHere && holds(message, what) ? [...others, message] : others;
    this.setState({ messages: now.sort((a, b) => b.seq - a.seq) });
  }

  override render({ context }: Props, { what, messages }: State) {
    const { strings } = context;
    return (
      <>
        <Segments
          label={strings.text('details.files')}
          chosen={what}
          options={kinds.map((kind) => [kind, strings.text(`details.${kind}`)])}
          choose={(kind) => this.#begin(kind)}
        />
        <RovingList
          items={ITEMS}
          label={strings.text(`details.${what}`)}
          element={this.#list}
          busy={messages === undefined && !this.state.failed}
          onScroll={this.#extend}
        >
          {this.#content()}
          {this.state.failed && this.#failure()}
        </RovingList>
      </>
    );
  }

  #content() {
    const { strings, blocking } = this.props.context;
    const { messages, complete, failed, what } = this.state;
    if (messages === undefined) return !failed && <Lines />;
    const shown = messages.filter(
      (message) => holds(message, what) && blocking()?.isHidden(message) !== true,
    );
    if (shown.length === 0)
      return (
        complete && (
          <Empty
            picture={what === 'pictures' ? 'picture' : 'file'}
            title={strings.text('details.noFiles.title')}
            text={strings.text('details.noFiles.text')}
          />
        )
      );
    const months = [...Map.groupBy(shown, ({ sentAt }) => this.#month(sentAt))];
    return months.map(([month, list]) => [
      <h4 class="section" key={month}>
        {month}
      </h4>,
      what === 'pictures' ? (
        <div class="pics" key={`in ${month}`}>
          {list.map((message) => this.#pictures(message))}
        </div>
      ) : (
        <ul class="filelist" key={`in ${month}`}>
          {list.map((message) => (what === 'files' ? this.#files(message) : this.#links(message)))}
        </ul>
      ),
    ]);
  }

  /** Shown below the items that are already loaded. */
  #failure() {
    const { strings } = this.props.context;
    return (
      <p class="note" key="failure">
        {strings.text('details.error')}{' '}
        <button type="button" class="link" ref={this.#again} onClick={() => void this.#load()}>
          {strings.text('common.again')}
        </button>
      </p>
    );
  }

  get #items(): HTMLElement[] {
    return [...(this.#list.current?.querySelectorAll<HTMLElement>(ITEMS) ?? [])];
  }

  #pictures(message: Message) {
    const { context } = this.props;
    const pictures = (message.files ?? []).filter(({ image }) => image !== undefined);
    const [entry] = entries([message], [], context.chat.me);
    return pictures.map((file, at) => (
      <Picture
        key={file.id}
        context={context}
        file={file}
        alone={false}
        more={0}
        open={(opener) => entry && openLargeView({ context, entry, pictures, at, opener })}
      />
    ));
  }

  #files(message: Message) {
    const { chat, strings } = this.props.context;
    return (message.files ?? [])
      .filter(({ image }) => image === undefined)
      .map((file) => {
        const [, ending = ''] = /\.([^.]{1,4})$/.exec(file.name) ?? [];
        return (
          <li key={file.id}>
            <a href={addressOf(chat, file)} download={file.name} tabIndex={-1}>
              <span class="kind" aria-hidden="true">
                {ending.toUpperCase() || <Icon name="file" />}
              </span>
              <div>
                <b>
                  <bdi>{file.name}</bdi>
                </b>
                <small>
                  {fileSize(file.size, strings)} · {this.#by(message)}
                </small>
              </div>
              <Icon name="save" />
            </a>
          </li>
        );
      });
  }

  #links(message: Message) {
    return linksIn(message.text)
      .filter(isPage)
      .map((link, n) => (
        <li key={`${message.seq} ${n}`}>
          <a
            href={link.href}
            rel="noopener noreferrer nofollow ugc"
            target="_blank"
            title={link.host}
            tabIndex={-1}
          >
            <span class="kind" aria-hidden="true">
              <Icon name="outside" />
            </span>
            <div>
              <b>
                <bdi>{link.shown}</bdi>
              </b>
              <small>{this.#by(message)}</small>
            </div>
          </a>
        </li>
      ));
  }

  #by({ user, sentAt }: Message): string {
    const { chat, strings } = this.props.context;
    const name = user.id === chat.me?.id ? strings.text('msg.you') : strings.name(user);
    return strings.list([name, listTime(sentAt, strings)]);
  }

  #month(at: number): string {
    const { locale, now } = this.props.context.strings;
    const isThisYear = new Date(at).getFullYear() === new Date(now).getFullYear();
    const year = isThisYear ? {} : { year: 'numeric' as const };
    return new Intl.DateTimeFormat(locale, { month: 'long', ...year }).format(at);
  }

  #begin(what: Kind): void {
    this.#asked++;
    this.#busy = false;
    this.setState({ what, ...nothing }, () => void this.#load());
  }

  async #load(): Promise<void> {
    if (this.#busy) return;
    const { context, room } = this.props;
    const { what, messages = [] } = this.state;
    const before = messages.at(-1)?.seq;
    const asked = this.#asked;
    this.#busy = true;
    try {
      const payload = { room: room.id, what, before };
      const page = await context.chat.request('room:files', payload);
      if (asked !== this.#asked) return;
      this.#busy = false;
      const known = new Set((this.state.messages ?? []).map(({ seq }) => seq));
      const fresh = page.messages.filter(({ seq }) => !known.has(seq));
      this.setState({
        messages: [...(this.state.messages ?? []), ...fresh],
        complete: page.complete,
        failed: false,
      });
    } catch (error) {
      if (!(error instanceof RequestError)) throw error;
      if (asked !== this.#asked) return;
      this.#busy = false;
      this.setState({ failed: true });
    }
  }

  readonly #extend = () => {
    const list = this.#list.current;
    const { messages, complete, failed } = this.state;
    if (list === null || list.clientHeight === 0 || messages === undefined || complete || failed) return;
    if (list.scrollHeight - list.scrollTop - list.clientHeight <= AHEAD) void this.#load();
  };
}

/** Placeholders for the first page. */
function Lines() {
  return (
    <Bones>
      <div class="bones" aria-hidden="true">
        {['w85', 'w55', 'w70'].map((width) => (
          <div class={`bone line ${width}`} key={width} />
        ))}
      </div>
    </Bones>
  );
}

function holds({ text, files = [], deletedAt }: Message, what: Kind): boolean {
  if (deletedAt !== undefined) return false;
  if (what === 'links') return firstPage(text) !== null;
  return files.some(({ image }) => (image !== undefined) === (what === 'pictures'));
}
