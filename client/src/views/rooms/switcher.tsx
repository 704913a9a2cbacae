import { Component } from 'preact';
import { asTyped, folded } from '../../../../server/text/folding.ts';
import type { User } from '../../../../server/wire/events.ts';
import type { Room } from '../../store/room.ts';
import { composes } from '../../text/keys.ts';
import type { Context } from '../context.ts';
import { Dialog } from '../controls/dialog.tsx';
import { Avatar } from '../people/avatar.tsx';
import { PeopleByName } from '../people/by-name.ts';
import { writeTo } from '../people/person-actions.ts';
import { RoomFace } from './room-face.tsx';

/** Maximum number of rooms and of people in the list. */
const ROOMS = 8;
const PEOPLE = 5;

interface Props {
  readonly context: Context;
  close(): void;
}

type Option = { readonly room: Room } | { readonly user: User };

/** The dialog that goes to a room or a person by name. */
export class Switcher extends Component<Props> {
  #query = '';
  /** The index of the option that Enter takes. */
  #hot = 0;
  readonly #people = new PeopleByName(this.props.context.chat, PEOPLE, this.props.context.changed);

  override componentWillUnmount(): void {
    this.#people.stop();
  }

  override render({ context, close }: Props) {
    const { strings } = context;
    const options = this.#options();
    const hot = Math.min(this.#hot, options.length - 1);
    return (
      <Dialog
        context={context}
        title={strings.text('switch.title')}
        submit={() => this.#take(options[hot])}
        close={close}
        actions={null}
      >
        <input
          class="input"
          role="combobox"
          autocomplete="off"
          maxLength={100}
          aria-label={strings.text('switch.field')}
          placeholder={strings.text('switch.field')}
          aria-expanded="true"
          aria-controls="switch-list"
          aria-activedescendant={options.length > 0 ? `switch-${hot}` : undefined}
          value={this.#query}
          onInput={({ currentTarget }) => this.#typed(currentTarget.value)}
          onKeyDown={(event) => this.#key(event, options.length)}
        />
        <div class="switch-list" id="switch-list" role="listbox" aria-label={strings.text('switch.title')}>
          {options.map((option, n) => (
            // biome-ignore lint/a11y/useKeyWithClickEvents: the field handles the keys.
            <div
              role="option"
              class={n === hot ? 'person hot' : 'person'}
              id={`switch-${n}`}
              aria-selected={n === hot}
              tabIndex={-1}
              key={'room' in option ? option.room.id : `user ${option.user.id}`}
              // Keeps the focus in the field.
              onPointerDown={(event) => event.preventDefault()}
              onClick={() => this.#take(option)}
            >
              {this.#face(option)}
            </div>
          ))}
        </div>
        {options.length === 0 && <p class="hint">{strings.text('search.none.title')}</p>}
      </Dialog>
    );
  }

  #face(option: Option) {
    const { strings } = this.props.context;
    if ('room' in option)
      return (
        <>
          <RoomFace summary={option.room.summary} />
          <span class="name">
            <bdi>{strings.roomName(option.room.summary)}</bdi>
          </span>
        </>
      );
    const [before, after] = strings.text('person.write').split('{name}');
    return (
      <>
        <Avatar user={option.user} />
        <span class="name">
          {before}
          <bdi>{strings.name(option.user)}</bdi>
          {after}
        </span>
      </>
    );
  }

  /** The user's own rooms, other public rooms, and people without a direct room in the list. */
  #options(): Option[] {
    const { chat, strings } = this.props.context;
    const wanted = folded(this.#query.trim());
    const rooms = [...chat.list.own(), ...(wanted === '' ? [] : chat.list.others(strings.locale))]
      .filter((room) => room !== chat.current)
      .map((room) => ({ room, at: rankOf(strings.roomName(room.summary), this.#query.trim()) }))
      .filter(({ at }) => at < NOWHERE)
      .sort((a, b) => a.at - b.at)
      .slice(0, ROOMS)
      .map(({ room }) => ({ room }));
    const direct = new Set(rooms.map(({ room }) => room.summary.with?.id));
    const people = wanted === '' ? [] : this.#people.users.filter(({ id }) => !direct.has(id));
    return [...rooms, ...people.map((user) => ({ user }))];
  }

  #typed(query: string): void {
    this.#query = query;
    this.#hot = 0;
    void this.props.context.chat.list.findOthers(query);
    this.#people.find(query);
    // Not `forceUpdate`, because only a whole render adds the pictures of the found rooms and people.
    this.props.context.changed();
  }

  #key(event: KeyboardEvent, count: number): void {
    const by = event.key === 'ArrowDown' ? 1 : event.key === 'ArrowUp' ? -1 : 0;
    if (by === 0 || count === 0 || composes(event)) return;
    event.preventDefault();
    this.#hot = (Math.min(this.#hot, count - 1) + by + count) % count;
    this.forceUpdate();
  }

  #take(option: Option | undefined): void {
    const { context, close } = this.props;
    if (option === undefined) return;
    close();
    if ('room' in option) context.open(option.room.id);
    else writeTo(option.user, context);
  }
}

const NOWHERE = 8;

/**
 * Ranks a name by where the query is: the whole name, its start, the start of a later word, elsewhere. Names that
 * contain it as it was typed come before others of the same rank.
 */
function rankOf(name: string, query: string): number {
  const at = placeOf(folded(name), folded(query));
  return 2 * at + (at < 4 && !asTyped(name).includes(asTyped(query)) ? 1 : 0);
}

function placeOf(name: string, wanted: string): number {
  if (name === wanted) return 0;
  if (name.startsWith(wanted)) return 1;
  if (name.includes(` ${wanted}`)) return 2;
  return name.includes(wanted) ? 3 : 4;
}
