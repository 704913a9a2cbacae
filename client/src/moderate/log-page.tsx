import { createRef } from 'preact';
import type { AuditScope, ShownAct } from '../../../server/wire/events.ts';
import { startOfDay } from '../strings/strings.ts';
import { beginOf, dayOf } from '../views/controls/date-fields.ts';
import { FilterField } from '../views/controls/filter-field.tsx';
import { Icon, type IconName } from '../views/controls/icon.tsx';
import { Choice } from '../views/controls/rows.tsx';
import { timeToCome } from '../views/moderation/restriction-words.ts';
import { Avatar } from '../views/people/avatar.tsx';
import { listTime } from '../views/rooms/list-time.ts';
import { saveTable } from './csv.ts';
import type { DeskContext } from './desk-context.ts';
import { Failed, ListToCome, RestFailed } from './nothing.tsx';
import { Pages } from './pages.ts';
import type { Drawn, Part } from './part.ts';
import { Scroll } from './scroll.tsx';

type ActKind = ShownAct['kind'];

interface Kind {
  group: 'messages' | 'people' | 'rooms' | 'data';
  picture: IconName | null;
  look?: 'ok' | 'warn' | 'bad';
}
type Group = Kind['group'] | 'all';

const kinds: Readonly<Record<ActKind, Kind>> = {
  message_deleted: { group: 'messages', picture: 'delete', look: 'bad' },
  report_closed: { group: 'messages', picture: 'flag' },
  approved: { group: 'messages', picture: 'check', look: 'ok' },
  rejected: { group: 'messages', picture: 'delete', look: 'warn' },
  pinned: { group: 'messages', picture: 'pin' },
  unpinned: { group: 'messages', picture: 'pin' },
  marked: { group: 'messages', picture: 'important' },
  unmarked: { group: 'messages', picture: 'important' },
  muted: { group: 'people', picture: 'muted', look: 'warn' },
  unmuted: { group: 'people', picture: null },
  banned: { group: 'people', picture: 'ban', look: 'bad' },
  unbanned: { group: 'people', picture: null },
  removed: { group: 'people', picture: 'remove', look: 'warn' },
  role_changed: { group: 'people', picture: 'shield' },
  site_banned: { group: 'people', picture: 'ban', look: 'bad' },
  site_unbanned: { group: 'people', picture: null },
  room_changed: { group: 'rooms', picture: 'settings' },
  room_deleted: { group: 'rooms', picture: 'delete', look: 'bad' },
  exported: { group: 'data', picture: 'save' },
  erased: { group: 'data', picture: 'eraser', look: 'bad' },
};

/** The names of the CSV columns. They are the same in every language, for programs. */
const columns = [
  'at',
  'by_id',
  'by_name',
  'kind',
  'action',
  'user_id',
  'user_name',
  'room_id',
  'room_name',
  'reason',
];

const days = ['7', '30', '365'] as const;
/** The number of audit entries in a response. */
const PAGE = 100;
/** After this many entries, the user decides whether to load more. */
const MOST = 1000;
/** The number of rows that are rendered at first. */
const DRAWN = 200;

/** The audit entries of moderation, the newest first. */
export class LogPage implements Part {
  readonly #context: DeskContext;
  readonly #acts: Pages<ShownAct>;
  readonly #field = createRef<HTMLInputElement>();
  #query = '';
  #scope: AuditScope = 'site';
  #group: Group = 'all';
  #days: (typeof days)[number] = '30';
  #drawn = DRAWN;
  /** The number of entries that are loaded automatically. */
  #most = MOST;

  constructor(context: DeskContext) {
    const { chat, changed } = context;
    this.#context = context;
    this.#acts = new Pages(
      chat,
      async (cursor) => {
        const { acts, next } = await chat.request('moderate:acts', {
          scope: this.#scope,
          limit: PAGE,
          ...cursor,
        });
        return [acts, next];
      },
      () => {
        void this.#readOn();
        changed();
      },
    );
  }

  open(): void {
    void this.#acts.load();
  }

  ready(): void {
    void this.#acts.load();
  }

  clear(): void {
    this.#query = '';
    this.#acts.clear();
  }

  find(): void {
    this.#field.current?.focus();
  }

  draw(): Drawn {
    const { strings } = this.#context;
    const heading = strings.text('mod.log');
    return {
      whole: (
        <>
          <div class="bar">
            <h2 tabIndex={-1}>
              <span>{heading}</span>
            </h2>
          </div>
          <Scroll label={heading}>
            <div class="page">
              {this.#tools()}
              {this.#content()}
            </div>
          </Scroll>
        </>
      ),
    };
  }

  #tools() {
    const { strings, changed } = this.#context;
    return (
      <div class="tools-row">
        <FilterField
          label={strings.text('mod.log.find')}
          query={this.#query}
          field={this.#field}
          typed={(query) => {
            this.#query = query;
            changed();
          }}
          pressed={() => {}}
        />
        <Choice<AuditScope>
          label={strings.text('mod.log.where')}
          chosen={this.#scope}
          options={[
            ['site', strings.text('mod.log.site')],
            ['rooms', strings.text('mod.log.rooms')],
          ]}
          choose={(scope) => {
            this.#scope = scope;
            this.#acts.clear();
            void this.#acts.load();
            changed();
          }}
        />
        <Choice<Group>
          label={strings.text('mod.log.what')}
          chosen={this.#group}
          options={[
            ['all', strings.text('mod.log.everything')],
            ['messages', strings.text('mod.log.messages')],
            ['people', strings.text('people.title')],
            ['rooms', strings.text('rooms.list')],
            ['data', strings.text('mod.data')],
          ]}
          choose={(group) => {
            this.#group = group;
            changed();
          }}
        />
        <Choice
          label={strings.text('mod.log.when')}
          chosen={this.#days}
          options={days.map((n) => [n, strings.count('mod.log.days', Number(n))])}
          choose={(chosen) => {
            this.#days = chosen;
            void this.#readOn();
            changed();
          }}
        />
        <span class="spring" />
        <button type="button" class="btn s" onClick={this.#save}>
          <Icon name="save" />
          {strings.text('mod.log.csv')}
        </button>
      </div>
    );
  }

  #content() {
    const { strings, changed } = this.#context;
    const { state, items, next } = this.#acts;
    if (state === 'loading') return <ListToCome />;
    if (state === 'failed' && items.length === 0)
      return (
        <Failed
          context={this.#context}
          title={strings.text('details.error')}
          again={() => void this.#acts.load()}
        />
      );
    const shown = this.#shown();
    const failed = state === 'failed';
    const more = shown.length > this.#drawn || (!failed && next !== undefined && this.#since(items.at(-1)));
    return (
      <>
        {failed && <RestFailed context={this.#context} again={() => void this.#acts.again()} />}
        {shown.length === 0 ? (
          <p class="hint">{strings.text('mod.log.none')}</p>
        ) : (
          this.#table(shown.slice(0, this.#drawn))
        )}
        {more && (
          <button
            type="button"
            class="btn"
            onClick={() => {
              this.#drawn += DRAWN;
              this.#most += MOST;
              void this.#readOn();
              changed();
            }}
          >
            {strings.text('msg.showMore')}
          </button>
        )}
      </>
    );
  }

  #table(acts: readonly ShownAct[]) {
    const { strings } = this.#context;
    const heads = ['when', 'who', 'what', 'whom', 'why'] as const;
    return (
      <table class="table">
        <thead>
          <tr>
            {heads.map((head) => (
              <th key={head}>{strings.text(`mod.log.${head}`)}</th>
            ))}
          </tr>
        </thead>
        <tbody>
          {acts.map((act, n) => (
            // Entries have no IDs, and two may have the same time.
            <tr key={`${act.at} ${n}`}>{this.#cells(act)}</tr>
          ))}
        </tbody>
      </table>
    );
  }

  #cells(act: ShownAct) {
    const { strings } = this.#context;
    const { at, by, kind, reason } = act;
    const { picture, look = '' } = kinds[kind];
    return (
      <>
        <td class="full">
          <time dateTime={new Date(at).toISOString()} title={strings.fullTime(at)}>
            {startOfDay(at) === startOfDay(strings.now)
              ? strings.time(at)
              : strings.onDay(listTime(at, strings), at)}
          </time>
        </td>
        <td>
          <span class="who">
            {by === undefined ? (
              <span class="avatar none" aria-hidden="true">
                <Icon name="server" />
              </span>
            ) : (
              <Avatar user={by} />
            )}
            <bdi>{by === undefined ? strings.text('mod.site') : strings.name(by)}</bdi>
          </span>
        </td>
        <td class="end">
          <span class={`act ${look}`}>
            {picture !== null && <Icon name={picture} />}
            {this.#what(act)}
          </span>
        </td>
        <td class="full">{this.#whom(act)}</td>
        <td class="soft full">{reason === undefined ? '–' : <bdi>{reason}</bdi>}</td>
      </>
    );
  }

  /** Describes an entry in words. */
  #what({ kind, to }: ShownAct): string {
    const { strings } = this.#context;
    const words = strings.text(`mod.act.${kind}`);
    if (to?.done !== undefined) return `${words}: ${strings.text(`mod.done.${to.done}`)}`;
    if (to?.role !== undefined)
      return `${words}: ${strings.text(to.role === 'member' ? 'mod.member' : `people.${to.role}`)}`;
    if (to?.until !== undefined) return strings.list([words, this.#until(to.until)]);
    return words;
  }

  #until(until: number): string {
    const { strings } = this.#context;
    return strings.text('mod.until', { when: timeToCome(until, strings) });
  }

  #whom({ user, room, name = room }: ShownAct): string {
    const { strings } = this.#context;
    return strings.list([user && strings.name(user), name]) || '–';
  }

  /** Whether an entry is in the chosen period. */
  #since(act: ShownAct | undefined): boolean {
    return (
      act !== undefined &&
      act.at >= beginOf(dayOf(new Date(this.#context.chat.clock.now)), 1 - Number(this.#days))
    );
  }

  #shown(): ShownAct[] {
    const { strings } = this.#context;
    const lower = (text: string) => text.toLocaleLowerCase(strings.locale);
    const query = lower(this.#query.trim());
    return this.#acts.items.filter((act) => {
      const { by, user, room, name } = act;
      const named = [by?.id, by?.name, user?.id, user?.name, room, name].filter((one) => one !== undefined);
      return (
        this.#since(act) &&
        (this.#group === 'all' || this.#group === kinds[act.kind].group) &&
        (query === '' || named.some((one) => lower(one).includes(query)))
      );
    });
  }

  /**
   * Loads the next page until all entries of the chosen period, or `#most` entries, are loaded. Entries that match the
   * filters may be far back.
   */
  async #readOn(): Promise<void> {
    const { state, items, next } = this.#acts;
    // A failed page is requested again only by a click.
    if (state !== 'here') return;
    if (next !== undefined && items.length < this.#most && this.#since(items.at(-1))) await this.#acts.more();
  }

  readonly #save = () => {
    const rows = this.#shown().map((act) => [
      new Date(act.at).toISOString(),
      act.by?.id ?? '',
      act.by?.name ?? '',
      act.kind,
      this.#what(act),
      act.user?.id ?? '',
      act.user?.name ?? '',
      act.room ?? '',
      act.name ?? '',
      act.reason ?? '',
    ]);
    saveTable([columns, ...rows], `moderation-${dayOf(new Date(this.#context.chat.clock.now))}.csv`);
  };
}
