import { Component } from 'preact';
import type { Holding } from '../../../../server/wire/content.ts';
import type { User } from '../../../../server/wire/events.ts';
import type { SearchFilters } from '../../chat/search.ts';
import type { Room } from '../../store/room.ts';
import type { StringKey } from '../../strings/strings.ts';
import type { Context } from '../context.ts';
import { beginOf, dayOf } from '../controls/date-fields.ts';
import { Choice } from '../controls/rows.tsx';

/** The chips of the contents, with the keys of their texts. */
const kinds: Readonly<Record<Holding, StringKey>> = {
  pictures: 'details.pictures',
  files: 'details.files',
  links: 'details.links',
  important: 'msg.important',
};
/** Number of members who are offered as authors. */
const MEMBERS = 100;

/** The filters in the form. Days are in the format of date fields, such as `2026-11-23`. */
export interface Filters {
  readonly has?: Holding;
  readonly from?: { readonly id: string; readonly label: string };
  readonly since?: string;
  readonly until?: string;
}

/** Converts the filters for the server. Days begin and end in the reader's time zone. */
export function asked({ has, from, since, until }: Filters): SearchFilters {
  return {
    ...(has === undefined ? {} : { has }),
    ...(from === undefined ? {} : { from: from.id }),
    ...(since === undefined ? {} : { sentFrom: beginOf(since, 0) }),
    ...(until === undefined ? {} : { sentBefore: beginOf(until, 1) }),
  };
}

interface Props {
  readonly context: Context;
  /** The room to search; undefined for all rooms. */
  readonly room: Room | undefined;
  readonly filters: Filters;
  set(filters: Filters): void;
}

/** The most frequent filters, as buttons. */
export function FilterChips({ context: { chat, strings }, filters, set }: Omit<Props, 'room'>) {
  const { has, from, since, until } = filters;
  const own = { id: chat.me?.id ?? '', label: strings.text('msg.you') };
  const week = weekBegin(strings.locale, new Date(strings.now));
  const chip = (
    key: string,
    label: string,
    on: boolean,
    change: { [K in keyof Filters]: Filters[K] | undefined },
  ) => (
    <button
      type="button"
      class="filter-chip"
      key={key}
      aria-pressed={on}
      onClick={() => set(withoutEmpty({ ...filters, ...change }))}
    >
      {label}
    </button>
  );
  const isOwn = from?.id === own.id;
  const isThisWeek = since === week && until === undefined;
  return (
    <fieldset class="filter-chips" aria-label={strings.text('search.has')}>
      {(Object.keys(kinds) as Holding[]).map((kind) =>
        chip(kind, strings.text(kinds[kind]), has === kind, { has: has === kind ? undefined : kind }),
      )}
      {chip('own', strings.text('search.fromMe'), isOwn, { from: isOwn ? undefined : own })}
      {chip('week', strings.text('search.thisWeek'), isThisWeek, {
        since: isThisWeek ? undefined : week,
        until: undefined,
      })}
    </fieldset>
  );
}

/** Removes the fields whose value is undefined. */
function withoutEmpty(filters: { [K in keyof Filters]: Filters[K] | undefined }): Filters {
  return Object.fromEntries(Object.entries(filters).filter(([, value]) => value !== undefined));
}

/** Returns the first day of this week, as in a date field. */
function weekBegin(locale: string, now: Date): string {
  // Firefox has no information on weeks.
  const { firstDay = 1 } =
    (new Intl.Locale(locale) as { getWeekInfo?(): { firstDay: number } }).getWeekInfo?.() ?? {};
  const past = (now.getDay() - firstDay + 7) % 7;
  return dayOf(new Date(now.getFullYear(), now.getMonth(), now.getDate() - past));
}

/** The fields that narrow a search by author and day. */
export class FilterFields extends Component<Props> {
  #members: readonly User[] = [];
  #gone = false;

  override componentDidMount(): void {
    this.#load();
  }

  override componentDidUpdate(before: Props): void {
    if (before.room !== this.props.room) this.#load();
  }

  override componentWillUnmount(): void {
    this.#gone = true;
  }

  override render({ context, filters, set }: Props) {
    const { strings } = context;
    const people = this.#people();
    const choose = (id: string) => {
      const { from: _, ...rest } = filters;
      const from = people.find((one) => one.id === id);
      set(from === undefined ? rest : { ...rest, from });
    };
    const pick = (name: 'since' | 'until', value: string) => {
      const { [name]: _, ...rest } = filters;
      set(value === '' ? rest : { ...rest, [name]: value });
    };
    return (
      <div class="filters" id="filters">
        <label for="search-from">
          {strings.text('search.from')}
          <Choice
            id="search-from"
            chosen={filters.from?.id ?? ''}
            options={[
              ['', strings.text('search.anybody')],
              ...people.map(({ id, label }) => [id, label] as const),
            ]}
            choose={choose}
          />
        </label>
        {(['since', 'until'] as const).map((name) => (
          <label key={name}>
            {strings.text(`search.${name}`)}
            <input
              class="input"
              type="date"
              value={filters[name] ?? ''}
              onChange={({ currentTarget }) => pick(name, currentTarget.value)}
            />
          </label>
        ))}
      </div>
    );
  }

  /** Returns the user, then the other known users by name. */
  #people(): { id: string; label: string }[] {
    const { context, room, filters } = this.props;
    const { chat, strings } = context;
    const { me } = chat;
    const rooms = room === undefined ? [...chat.rooms.values()] : [room];
    const known = new Map(
      [...rooms.flatMap(({ present }) => present), ...this.#members].map((one) => [one.id, one]),
    );
    const others = [...known.values()]
      .filter(({ id }) => id !== me?.id)
      .map((user) => ({ id: user.id, label: strings.name(user) }))
      .sort((a, b) => a.label.localeCompare(b.label, strings.locale));
    const all = [...(me === undefined ? [] : [{ id: me.id, label: strings.text('msg.you') }]), ...others];
    // Keeps an author who was chosen in another room.
    const { from } = filters;
    return from === undefined || all.some(({ id }) => id === from.id) ? all : [...all, from];
  }

  #load(): void {
    const { context, room } = this.props;
    this.#members = [];
    if (room === undefined) return;
    context.chat.request('room:members', { room: room.id, limit: MEMBERS }).then(
      ({ members }) => {
        if (this.#gone || this.props.room !== room) return;
        this.#members = members.map(({ user }) => user);
        this.forceUpdate();
      },
      // The present users are offered without the response.
      () => {},
    );
  }
}
