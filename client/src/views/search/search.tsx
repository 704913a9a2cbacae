import { Component, createRef } from 'preact';
import type { Message } from '../../../../server/wire/events.ts';
import { list, text } from '../../chat/form.ts';
import { Search } from '../../chat/search.ts';
import type { Store } from '../../chat/storage.ts';
import { composes, confirms } from '../../text/keys.ts';
import type { Context } from '../context.ts';
import { Bones } from '../controls/bones.tsx';
import { Empty } from '../controls/empty.tsx';
import { FilterField } from '../controls/filter-field.tsx';
import { arrive } from '../controls/fresh.ts';
import { Icon, IconButton } from '../controls/icon.tsx';
import { RovingList } from '../controls/roving-list.tsx';
import { Segments } from '../controls/rows.tsx';
import { asked, FilterChips, FilterFields, type Filters } from './filters.tsx';
import { FoundPeople } from './found-people.tsx';
import { Hit } from './hit.tsx';

/** For each user, the query whose hit was chosen last. The search opens with it again, in case the hit was wrong. */
const chosen = new WeakMap<Store, string>();

/** Maximum number of recent searches that the browser stores. */
const RECENT = 5;
const RECENT_KEY = 'searches';

/** The hits of a search, in the order of the list. */
export interface Hits {
  readonly query: string;
  readonly messages: readonly Message[];
  /** Whether there are older hits. */
  readonly more: boolean;
}

interface Props {
  readonly context: Context;
  /** Whether to search all rooms instead of the open room. */
  readonly everywhere: boolean;
  /** Whether the room that "this room" refers to is visible. */
  readonly roomInSight: boolean;
  readonly inert: boolean;
  setEverywhere(everywhere: boolean): void;
  /** Shows a hit in its room. */
  choose(hits: Hits, at: number): void;
  /** Called with this panel when it is mounted, and with undefined when it is unmounted. */
  shown(panel: SearchPanel | undefined): void;
  /** Announces the number of hits to screen readers. */
  say(text: string): void;
  close(): void;
}

/** The search for messages, shown instead of the member list. */
export class SearchPanel extends Component<Props> {
  readonly #field = createRef<HTMLInputElement>();
  readonly #list = createRef<HTMLDivElement>();
  readonly #pane = createRef<HTMLElement>();
  readonly #older = createRef<HTMLButtonElement>();
  readonly #search: Search;
  readonly #store: Store | undefined;
  #query: string;
  #filters: Filters = {};
  /** Whether the filter fields are shown. */
  #filtering = false;
  /** Whether a hit of this query was chosen. */
  #chosen = false;
  /** The open room at the time of the search. */
  #room: string | undefined;
  #said: readonly Message[] | undefined;

  constructor(props: Props) {
    super(props);
    const { chat, changed } = props.context;
    this.#search = new Search(chat.connection, changed);
    this.#store = chat.store;
    this.#query = (this.#store && chosen.get(this.#store)) ?? '';
  }

  override componentDidMount(): void {
    arrive(this.#pane.current);
    this.props.context.chat.followers.add(this.#search);
    this.#find();
    this.props.shown(this);
    this.focus();
  }

  override getSnapshotBeforeUpdate(): number | undefined {
    return this.#older.current?.matches(':focus') === true ? this.#hits.length : undefined;
  }

  /** @param hits - number of hits before the update, if the button below them had the focus */
  override componentDidUpdate(before: Props, _state: unknown, hits: number | undefined): void {
    const { strings, chat } = this.props.context;
    // The button is removed with the last page.
    if (hits !== undefined && this.#older.current === null)
      (this.#hits[hits] ?? this.#hits.at(-1) ?? this.#field.current)?.focus();
    const { everywhere } = this.props;
    const room = chat.current?.id;
    if (before.everywhere !== everywhere || (!everywhere && room !== this.#room)) this.#find();
    const messages = this.#search.state?.messages;
    if (messages === this.#said) return;
    this.#said = messages;
    if (messages === undefined) return;
    const none = strings.text('search.none.title');
    this.props.say(messages.length === 0 ? none : strings.count('search.count', messages.length));
  }

  override componentWillUnmount(): void {
    if (this.#store !== undefined) chosen.set(this.#store, this.#chosen ? this.#query : '');
    this.props.shown(undefined);
    this.#search.clear();
    this.props.context.chat.followers.delete(this.#search);
  }

  get #hits(): HTMLElement[] {
    return [...(this.#list.current?.querySelectorAll<HTMLElement>('button.hit') ?? [])];
  }

  focus(): void {
    this.#field.current?.focus();
    this.#field.current?.select();
  }

  override render({ context, everywhere, roomInSight, inert, setEverywhere, close }: Props) {
    const { strings, chat } = context;
    const busy = this.#search.state?.busy === true;
    const count = Object.keys(this.#filters).length;
    return (
      <aside
        class="pane side search"
        aria-label={strings.text('search.heading')}
        inert={inert}
        ref={this.#pane}
      >
        <div class="bar">
          <h2>
            <span>{strings.text('search.heading')}</span>
          </h2>
          <IconButton name="close" label={strings.text('search.close')} press={close} />
        </div>
        <div class="find">
          <FilterField
            label={strings.text('search.open')}
            query={this.#query}
            field={this.#field}
            typed={this.#typed}
            pressed={this.#key}
          />
          {roomInSight && !chat.single && (
            <Segments
              label={strings.text('search.where')}
              chosen={everywhere ? 'all' : 'here'}
              options={(['here', 'all'] as const).map((where) => [where, strings.text(`search.${where}`)])}
              choose={(where) => setEverywhere(where === 'all')}
            />
          )}
          <FilterChips context={context} filters={this.#filters} set={this.#set} />
          <div class="filtering">
            <button
              type="button"
              class="link"
              aria-expanded={this.#filtering}
              aria-controls="filters"
              onClick={this.#toggle}
            >
              {strings.text('search.filters')}
              {count > 0 && ` · ${strings.number(count)}`}
            </button>
            {count > 0 && (
              <button type="button" class="link" onClick={() => this.#set({})}>
                {strings.text('search.clear')}
              </button>
            )}
          </div>
          {this.#filtering && (
            <FilterFields
              context={context}
              room={everywhere ? undefined : chat.current}
              filters={this.#filters}
              set={this.#set}
            />
          )}
        </div>
        <RovingList items=".hit" label={strings.text('search.heading')} element={this.#list} busy={busy}>
          {this.#people()}
          {this.#search.state === undefined ? this.#recent() : this.#results()}
        </RovingList>
      </aside>
    );
  }

  #results() {
    const { context, everywhere, setEverywhere } = this.props;
    const { strings, chat } = context;
    const { state } = this.#search;
    if (state === undefined) return undefined;
    const { messages, more, error, busy, query, filters } = state;
    if (error !== undefined && messages === undefined) {
      return (
        <Empty
          picture="alert"
          title={strings.text('search.error.title')}
          text={strings.text('search.error.text')}
        >
          <button
            type="button"
            class="btn primary"
            onClick={() => {
              // The search removes this button, so the focus must move.
              this.#field.current?.focus();
              this.#search.again();
            }}
          >
            {strings.text('common.again')}
          </button>
        </Empty>
      );
    }
    if (messages === undefined) {
      return (
        <Bones>
          <Lines />
        </Bones>
      );
    }
    if (messages.length === 0 && !more) {
      return (
        <Empty
          picture="search"
          title={strings.text('search.none.title')}
          text={
            Object.keys(filters).length > 0
              ? strings.text('search.none.filters')
              : strings.text('search.none.text', { q: query.trim() })
          }
        >
          {!everywhere && !chat.single && (
            <button type="button" class="btn" onClick={() => setEverywhere(true)}>
              {strings.text('search.allButton')}
            </button>
          )}
        </Empty>
      );
    }
    const choose = (at: number) => {
      this.#chosen = true;
      this.#remember();
      this.props.choose({ query: query.trim(), messages, more }, at);
    };
    return [
      <h3 class="section" key="count">
        {more
          ? strings.text('search.newest', { n: messages.length })
          : strings.count('search.count', messages.length)}
      </h3>,
      <ul class="results" key="results">
        {messages.map((message, at) => (
          <li key={message.id}>
            <Hit
              context={context}
              message={message}
              query={query}
              everywhere={everywhere}
              choose={() => choose(at)}
            />
          </li>
        ))}
      </ul>,
      more && (
        <div class="foot" key="foot">
          {error !== undefined && <span>{strings.text('search.error.title')}</span>}
          {/* A disabled button would lose the focus. */}
          <button
            type="button"
            class="btn"
            ref={this.#older}
            aria-disabled={busy || undefined}
            onClick={() => void this.#search.older()}
          >
            {strings.text(error === undefined ? 'search.older' : 'common.again')}
          </button>
        </div>
      ),
    ];
  }

  #people() {
    const { context } = this.props;
    // Filters apply to messages only.
    return Object.keys(this.#filters).length === 0 && <FoundPeople context={context} query={this.#query} />;
  }

  /** The last searches, before anything is typed. */
  #recent() {
    const { strings } = this.props.context;
    const recent = this.#store?.get(RECENT_KEY, list(text)) ?? [];
    if (recent.length === 0) return undefined;
    const take = (query: string) => {
      this.#query = query;
      this.#find();
      this.focus();
    };
    return [
      <h3 class="section" key="title">
        {strings.text('search.recent')}
      </h3>,
      <ul class="results" key="recent">
        {recent.map((query) => (
          <li key={query}>
            <button type="button" class="person hit" tabIndex={-1} onClick={() => take(query)}>
              <Icon name="clock" size="s" />
              <bdi class="name">{query}</bdi>
            </button>
          </li>
        ))}
      </ul>,
    ];
  }

  /** Stores the query among the recent ones. */
  #remember(): void {
    const query = this.#query.trim();
    if (query === '') return;
    const others = (this.#store?.get(RECENT_KEY, list(text)) ?? []).filter((one) => one !== query);
    this.#store?.set(RECENT_KEY, [query, ...others].slice(0, RECENT));
  }

  #find(): void {
    const { context, everywhere } = this.props;
    const { chat } = context;
    this.#room = chat.current?.id;
    this.#search.find(this.#query, asked(this.#filters), everywhere ? undefined : this.#room);
  }

  readonly #toggle = () => {
    this.#filtering = !this.#filtering;
    this.props.context.changed();
  };

  readonly #set = (filters: Filters) => {
    this.#filters = filters;
    this.#chosen = false;
    this.#find();
  };

  readonly #typed = (query: string) => {
    this.#query = query;
    this.#chosen = false;
    this.#find();
  };

  readonly #key = (event: KeyboardEvent) => {
    if (composes(event) || (event.key !== 'ArrowDown' && !confirms(event))) return;
    event.preventDefault();
    if (confirms(event)) this.#remember();
    this.#list.current?.querySelector<HTMLElement>('.hit')?.focus();
  };
}

/** Placeholders for hits. */
function Lines() {
  return (
    <div class="results" aria-hidden="true">
      {['30 85', '25 70', '30 55'].map((widths) => (
        <div class="hit" key={widths}>
          {widths.split(' ').map((width) => (
            <div class={`bone line w${width}`} key={width} />
          ))}
        </div>
      ))}
    </div>
  );
}
