import { Component } from 'preact';
import type { User } from '../../../../server/wire/events.ts';
import type { SearchFilters } from '../../chat/search.ts';
import type { Room } from '../../store/room.ts';
import type { Context } from '../context.ts';

const kinds = ['pictures', 'files', 'links'] as const;
/** The members who are offered as authors. */
const MEMBERS = 100;

/** The filters as they are shown: days as the fields of the browser give them, `2026-11-23`. */
export interface Filters {
  readonly has?: (typeof kinds)[number];
  readonly from?: { readonly id: string; readonly label: string };
  readonly since?: string;
  readonly until?: string;
}

/** As the server takes them: days begin and end in the time zone of the reader. */
export function asked({ has, from, since, until }: Filters): SearchFilters {
  return {
    ...(has === undefined ? {} : { has }),
    ...(from === undefined ? {} : { from: from.id }),
    ...(since === undefined ? {} : { sentFrom: beginOf(since, 0) }),
    ...(until === undefined ? {} : { sentBefore: beginOf(until, 1) }),
  };
}

/** @param later - so many days, however long they are where clocks are changed */
function beginOf(day: string, later: number): number {
  const [year = 0, month = 1, date = 1] = day.split('-').map(Number);
  const begin = new Date(year, month - 1, date + later);
  // Two digits of a year would be of the last century.
  begin.setFullYear(year, month - 1, date + later);
  return Math.max(0, begin.getTime());
}

interface Props {
  readonly context: Context;
  /** The room that is searched; undefined: all of them. */
  readonly room: Room | undefined;
  readonly filters: Filters;
  set(filters: Filters): void;
}

/** Narrows a search down: by author, by what a message holds, by its day. */
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
    const toggle = (kind: (typeof kinds)[number]) => {
      const { has, ...rest } = filters;
      set(has === kind ? rest : { ...rest, has: kind });
    };
    return (
      <div class="filters" id="filters">
        {/* biome-ignore lint/a11y/useSemanticElements: a fieldset has a box of its own. */}
        <div class="seg" role="group" aria-label={strings.text('search.has')}>
          {kinds.map((kind) => (
            <button type="button" key={kind} aria-pressed={filters.has === kind} onClick={() => toggle(kind)}>
              {strings.text(`details.${kind}`)}
            </button>
          ))}
        </div>
        <label>
          {strings.text('search.from')}
          <select
            class="input"
            value={filters.from?.id ?? ''}
            onChange={({ currentTarget }) => choose(currentTarget.value)}
          >
            <option value="">{strings.text('search.anybody')}</option>
            {people.map(({ id, label }) => (
              <option value={id} key={id}>
                {label}
              </option>
            ))}
          </select>
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

  /** Oneself, and then the people who are known here, by name. */
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
    // Somebody who was chosen where others are.
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
      // The people who are here are offered all the same.
      () => {},
    );
  }
}
