import { createRef } from 'preact';
import type { Answers, RoomSummary } from '../../../server/wire/events.ts';
import type { Room } from '../store/room.ts';
import { hashOf as hashOfRoom } from '../text/page-address.ts';
import { FilterField } from '../views/controls/filter-field.tsx';
import { Icon } from '../views/controls/icon.tsx';
import { Choice } from '../views/controls/rows.tsx';
import { sizeOfFiles } from '../views/files/file-size.ts';
import { Restricted } from '../views/moderation/restricted.tsx';
import { listTime } from '../views/rooms/list-time.ts';
import type { DeskContext } from './desk-context.ts';
import type { Drawn, Part } from './part.ts';
import { Scroll } from './scroll.tsx';

/** The maximum number of rooms in a request. */
const AT_ONCE = 100;

type Counts = Answers['moderate:rooms']['rooms'][number];
type Order = 'last' | 'name' | 'members';

/** The rooms that this moderator knows, with their kind, their counts and their restricted users. */
export class RoomsPage implements Part {
  readonly #context: DeskContext;
  readonly #field = createRef<HTMLInputElement>();
  #query = '';
  #order: Order = 'last';
  /** The counts by room ID. Undefined during the request for a room, and if it failed. */
  #counts = new Map<string, Counts | undefined>();

  constructor(context: DeskContext) {
    this.#context = context;
  }

  open(): void {
    this.#counts = new Map();
    void this.#load();
  }

  ready(): void {
    this.#counts = new Map();
    void this.#load();
  }

  clear(): void {
    this.#query = '';
    this.#counts = new Map();
  }

  find(): void {
    this.#field.current?.focus();
  }

  draw(): Drawn {
    const { chat, strings, changed } = this.#context;
    const rooms = this.#rooms();
    void this.#count(rooms);
    const heading = strings.text('rooms.list');
    return {
      whole: (
        <>
          <div class="bar">
            <h2 tabIndex={-1}>
              <span>{heading}</span>
              <small>{strings.number(rooms.length)}</small>
            </h2>
          </div>
          <Scroll label={heading}>
            <div class="page">
              <div class="tools-row">
                <FilterField
                  label={strings.text('mod.rooms.find')}
                  query={this.#query}
                  field={this.#field}
                  typed={(query) => {
                    this.#query = query;
                    void chat.list.findOthers(query);
                    changed();
                  }}
                  pressed={() => {}}
                />
                <Choice<Order>
                  label={strings.text('mod.order')}
                  chosen={this.#order}
                  options={[
                    ['last', strings.text('mod.rooms.last')],
                    ['name', strings.text('create.name')],
                    ['members', strings.text('rooms.members')],
                  ]}
                  choose={(order) => {
                    this.#order = order;
                    changed();
                  }}
                />
                {(chat.creates.createPublic || chat.creates.createPrivate) && (
                  <>
                    <span class="spring" />
                    <button type="button" class="btn primary" aria-haspopup="dialog" onClick={this.#create}>
                      <Icon name="plus" />
                      {strings.text('rooms.new')}
                    </button>
                  </>
                )}
              </div>
              {rooms.length === 0 ? (
                <p class="hint">{strings.text('search.none.title')}</p>
              ) : (
                this.#table(rooms)
              )}
              {chat.list.moreOthers && (
                <button type="button" class="btn" onClick={() => void chat.list.loadOthers()}>
                  {strings.text('msg.showMore')}
                </button>
              )}
            </div>
          </Scroll>
        </>
      ),
    };
  }

  readonly #create = async () => {
    const { chat, dialog, changed, toast, strings } = this.#context;
    // Loaded on demand, because few moderators create rooms.
    const part = await import('../views/rooms/new-room.tsx').catch(() => undefined);
    if (part === undefined) return toast(strings.text('conn.lost'), 'bad');
    const { NewRoom } = part;
    dialog((close) => (
      <NewRoom
        context={this.#context}
        can={chat.creates}
        name=""
        create={(payload) => chat.request('room:create', payload)}
        done={({ room }) => {
          chat.list.put(room);
          // Filters by the name, so that the new room is visible wherever the order places it.
          this.#query = room.name;
          changed();
        }}
        close={close}
      />
    ));
  };

  #table(rooms: readonly Room[]) {
    const { strings } = this.#context;
    return (
      <table class="table">
        <thead>
          <tr>
            <th>{strings.text('mod.rooms.room')}</th>
            <th>{strings.text('mod.rooms.kind')}</th>
            <th class="n">{strings.text('rooms.members')}</th>
            <th class="n">{strings.text('mod.rooms.messages')}</th>
            <th class="n">{strings.text('details.files')}</th>
            <th>{strings.text('mod.rooms.last')}</th>
            <th>
              <span class="vh">{strings.text('msg.more')}</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {rooms.map((room) => (
            <tr key={room.id}>{this.#cells(room)}</tr>
          ))}
        </tbody>
      </table>
    );
  }

  #cells(room: Room) {
    const { chat, strings, dialog } = this.#context;
    const { summary } = room;
    const counts = this.#counts.get(room.id);
    return (
      <>
        <td>
          <span class="who">
            <Icon name={summary.kind === 'private' ? 'lock' : 'hash'} />
            <a href={`${chat.server}${hashOfRoom(room.id)}`} target="_blank" rel="noopener">
              <b>
                <bdi>{summary.name}</bdi>
              </b>
            </a>
          </span>
        </td>
        <td class="soft end">{this.#kind(summary)}</td>
        <td class="n" data-l={strings.text('rooms.members')}>
          {strings.number(summary.members)}
        </td>
        <td class="n full" data-l={strings.text('mod.rooms.messages')}>
          {counts === undefined ? '–' : strings.number(counts.messages)}
        </td>
        <td class="n full" data-l={strings.text('details.files')}>
          {counts === undefined ? '–' : sizeOfFiles(counts.files, strings)}
        </td>
        <td class="end">
          {summary.last === undefined ? (
            '–'
          ) : (
            <time
              dateTime={new Date(summary.last.sentAt).toISOString()}
              title={strings.fullTime(summary.last.sentAt)}
            >
              {listTime(summary.last.sentAt, strings)}
            </time>
          )}
        </td>
        <td class="beside">
          {summary.may.includes('moderate') && (
            <button
              type="button"
              class="icon"
              aria-label={strings.list([strings.text('restricted.title'), summary.name])}
              aria-haspopup="dialog"
              onClick={() =>
                dialog((close) => <Restricted context={this.#context} room={room} close={close} />)
              }
            >
              <Icon name="ban" />
            </button>
          )}
        </td>
      </>
    );
  }

  #kind({ kind, write, slow }: RoomSummary): string {
    const { strings } = this.#context;
    return strings.list([
      strings.text(kind === 'private' ? 'create.private' : 'create.public'),
      write === 'moderators' && strings.text('forward.readOnly'),
      slow !== undefined && strings.text('settings.slow'),
    ]);
  }

  #rooms(): Room[] {
    const { chat, strings } = this.#context;
    const { compare } = new Intl.Collator(strings.locale, { numeric: true });
    const lower = (text: string) => text.toLocaleLowerCase(strings.locale);
    const query = lower(this.#query.trim());
    const byName = (a: Room, b: Room) => compare(a.summary.name, b.summary.name);
    const orders: Record<Order, (a: Room, b: Room) => number> = {
      last: (a, b) => (b.summary.last?.sentAt ?? 0) - (a.summary.last?.sentAt ?? 0) || byName(a, b),
      name: byName,
      members: (a, b) => b.summary.members - a.summary.members || byName(a, b),
    };
    return [...chat.list.byId.values()]
      .filter(({ summary }) => summary.kind !== 'direct' && lower(summary.name).includes(query))
      .sort(orders[this.#order]);
  }

  /** Requests the counts of each rendered room once. If this fails, the room is shown without counts. */
  async #count(rooms: readonly Room[]): Promise<void> {
    const { chat, changed } = this.#context;
    const counts = this.#counts;
    const ids = rooms.map(({ id }) => id).filter((id) => !counts.has(id));
    if (ids.length === 0 || chat.connection.state.kind !== 'ready') return;
    for (const id of ids) counts.set(id, undefined);
    for (let n = 0; n < ids.length; n += AT_ONCE) {
      const found = await chat
        .request('moderate:rooms', { rooms: ids.slice(n, n + AT_ONCE) })
        .catch(() => ({ rooms: [] }));
      for (const one of found.rooms) counts.set(one.room, one);
    }
    changed();
  }

  /** Loads public rooms that the moderator is not a member of. */
  async #load(): Promise<void> {
    const { list } = this.#context.chat;
    if (list.moreOthers) await list.loadOthers();
  }
}
