import { Component, createRef } from 'preact';
import { isBlank } from '../../../../server/text/blank.ts';
import type { User } from '../../../../server/wire/events.ts';
import { foundMembers } from '../../chat/found-members.ts';
import { RequestError } from '../../connection/connection-state.ts';
import type { Room } from '../../store/room.ts';
import { composes, confirms } from '../../text/keys.ts';
import { codePoints } from '../../text/paste.ts';
import { boxIn } from '../box.ts';
import type { Context } from '../context.ts';
import { Problem } from '../controls/dialog.tsx';
import { Icon } from '../controls/icon.tsx';
import { refusal } from '../refusal.ts';
import { Avatar } from './avatar.tsx';

/** A user who was chosen. */
export interface Chip {
  readonly user: User;
  /** Typed as an ID, so nothing else is known. */
  readonly exact?: boolean;
  /** Why the user could not be invited. */
  readonly reason?: string;
}

interface Option {
  readonly user: User;
  /** Whether the ID was typed. */
  readonly exact?: boolean;
  /** Whether the user is already a member. */
  readonly inRoom?: boolean;
}

interface Found {
  readonly users: readonly User[];
  /** IDs of the users who are already members. */
  readonly inRoom: readonly string[];
}

interface Props {
  readonly context: Context;
  readonly label: string;
  readonly optional?: string;
  readonly chips: readonly Chip[];
  /** A room whose members cannot be chosen. */
  readonly room?: string;
  /** Only members of this room can be chosen. Some are offered before the user types. */
  readonly members?: Room;
  /** Takes a single user, without chips. */
  readonly single?: boolean;
  readonly readOnly: boolean;
  readonly hint?: string;
  /** Called when a user is chosen or removed. */
  chosen(chips: readonly Chip[]): void;
  /** Called with the text that does not name a user yet. */
  typed(text: string): void;
  /** Called with the field when it is mounted. */
  shown(field: PeopleField): void;
}

const PAUSE_MS = 200;
/** Distance between the field and the edge above it, in CSS pixels. */
const GAP = 4;
const NAMES = 8;
const LONGEST_ID = 64;
/** The server rejects longer queries. */
const LONGEST_QUERY = 100;
const SEPARATORS = /[\n\r,;\t]+/u;

/** A field that finds users by name. Admins can also enter exact IDs. */
export class PeopleField extends Component<Props> {
  readonly #input = createRef<HTMLInputElement>();
  #text = '';
  /** Undefined while no options are offered. */
  #options: readonly Option[] | undefined;
  #hot = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** The options of the last render. */
  #seen: readonly Option[] | undefined;
  /** The query that `#options` belongs to. */
  #answered = '';
  /** Why the search failed. */
  #problem: string | undefined;
  /** Whether to take the first result when it arrives. */
  #hurried = false;

  override componentDidMount(): void {
    this.props.shown(this);
    this.#offer('', 0);
  }

  override componentDidUpdate(): void {
    const offered = this.#options;
    if (offered === this.#seen) return;
    this.#seen = offered;
    this.#reveal();
  }

  override componentWillUnmount(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  /** Takes the text in the field as a user, possibly when the results arrive. Returns false if the field is empty. */
  finish(): boolean {
    if (isBlank(this.#text)) return false;
    const hot = this.#options?.[this.#hot];
    if (this.#answered !== this.#text.trim()) this.#hurried = true;
    else if (hot !== undefined) this.#take(hot);
    return true;
  }

  override render({ context, label, optional, chips, single = false, hint }: Props) {
    const { strings } = context;
    const problem = this.#failure(chips);
    const input = this.#field(single);
    const offered = this.#options !== undefined && this.#options.length > 0;
    const nobody = this.#options?.every(({ exact }) => exact === true) === true;
    const words = nobody ? strings.text('invite.nobody') : hint;
    return (
      <>
        <label class="label" for="people">
          {label}
          {optional !== undefined && <small> · {optional}</small>}
        </label>
        {single ? (
          input
        ) : (
          // biome-ignore lint/a11y/noStaticElementInteractions: its field handles the keys.
          // biome-ignore lint/a11y/useKeyWithClickEvents: its field handles the keys.
          <div
            class="chips"
            onClick={(event) => event.target === event.currentTarget && this.#input.current?.focus()}
          >
            {chips.map((chip) => this.#chip(chip))}
            {input}
          </div>
        )}
        {problem !== undefined && <Problem id="people-error" text={problem} />}
        {offered && this.#list()}
        {words !== undefined && problem === undefined && (
          <p class="hint" id="people-hint">
            {words}
          </p>
        )}
      </>
    );
  }

  /** Scrolls the field up if the suggestions below it would be out of view. */
  #reveal(): void {
    const field = this.#input.current?.closest<HTMLElement>('.chips, .input');
    const body = field?.closest<HTMLElement>('.body');
    const options = body?.querySelector('.opts');
    if (field == null || body == null || options == null) return;
    const room = boxIn(body, field).top - GAP;
    body.scrollTop += Math.max(0, Math.min(boxIn(body, options).bottom - body.offsetHeight, room));
  }

  #failure(chips: readonly Chip[]): string | undefined {
    return this.#problem ?? chips.find(({ reason }) => reason !== undefined)?.reason;
  }

  #field(single: boolean) {
    const { chips, readOnly } = this.props;
    const open = this.#options !== undefined && this.#options.length > 0;
    const failed = this.#failure(chips) !== undefined;
    return (
      <input
        class={single ? 'input' : ''}
        id="people"
        key="people"
        role="combobox"
        aria-expanded={open}
        aria-controls="people-options"
        aria-autocomplete="list"
        aria-activedescendant={open && this.#hot >= 0 ? `people-option-${this.#hot}` : undefined}
        aria-describedby={failed ? 'people-error' : 'people-hint'}
        autocomplete="off"
        autocapitalize="off"
        spellcheck={false}
        readOnly={readOnly}
        value={this.#text}
        ref={this.#input}
        onInput={(event) => this.#typed(event.currentTarget.value)}
        onKeyDown={this.#key}
        onPaste={this.#paste}
      />
    );
  }

  #chip({ user, exact, reason }: Chip) {
    const { strings } = this.props.context;
    return (
      <span class={reason === undefined ? 'chip' : 'chip bad'} key={user.id}>
        {exact === true || reason !== undefined ? <Icon name="person" size="s" /> : <Avatar user={user} />}
        <bdi>{user.name}</bdi>
        {!this.props.readOnly && (
          <button
            type="button"
            class="icon"
            aria-label={strings.text('invite.removeChip', { name: user.name })}
            onClick={() => {
              this.props.chosen(this.props.chips.filter((chip) => chip.user.id !== user.id));
              this.#input.current?.focus();
            }}
          >
            <Icon name="close" size="s" />
          </button>
        )}
      </span>
    );
  }

  #list() {
    const { strings } = this.props.context;
    return (
      <div class="opts" id="people-options" role="listbox" aria-label={strings.text('invite.people')}>
        {this.#options?.map((option, index) => {
          const { user, exact, inRoom } = option;
          const hot = index === this.#hot;
          return (
            // biome-ignore lint/a11y/useKeyWithClickEvents: the field above handles the keys.
            <div
              role="option"
              id={`people-option-${index}`}
              class={hot ? 'person hot' : 'person'}
              aria-selected={hot}
              aria-disabled={inRoom || undefined}
              tabIndex={-1}
              key={`${exact === true} ${user.id}`}
              onPointerDown={(event) => event.preventDefault()}
              onClick={() => this.#take(option)}
            >
              {exact === true ? (
                <span class="avatar none" aria-hidden="true">
                  <Icon name="person" />
                </span>
              ) : (
                <Avatar user={user} kind={this.#here(user) ? 'here' : ''} />
              )}
              <span class="name">
                <bdi>{user.name}</bdi>
              </span>
              {exact === true && <small>{strings.text('invite.exact')}</small>}
              {inRoom === true && <small>{strings.text('invite.inRoom')}</small>}
            </div>
          );
        })}
      </div>
    );
  }

  /** Whether a user is online. Known only for peers of direct rooms and members of the open room. */
  #here({ id }: User): boolean {
    const { chat } = this.props.context;
    return (
      chat.current?.present.some((user) => user.id === id) === true ||
      chat.list.own().some(({ summary }) => summary.with?.id === id && summary.present === true)
    );
  }

  /** Only admins may type an ID, because it may belong to no user. Others choose from names. */
  get #mayTypeId(): boolean {
    const { context, members } = this.props;
    return members === undefined && context.chat.roles.includes('admin');
  }

  /** Whether several IDs can be entered at once. */
  get #takesIds(): boolean {
    return this.#mayTypeId && this.props.single !== true;
  }

  #typed(text: string): void {
    const parts = text.split(SEPARATORS);
    // Text that arrives at once, such as from speech input, may contain several IDs.
    if (parts.length > 1 && this.#takesIds) return this.#several(parts);
    this.#set(text);
    this.#offer(text.trim(), PAUSE_MS);
  }

  #offer(query: string, pause: number): void {
    clearTimeout(this.#timer);
    if (query === '' && this.props.members === undefined) this.#options = undefined;
    else this.#timer = setTimeout(() => void this.#find(query), pause);
  }

  #set(text: string): void {
    this.#text = text;
    this.#hurried = false;
    this.#problem = undefined;
    this.props.typed(text.trim());
    this.props.context.changed();
  }

  async #find(query: string): Promise<void> {
    const { context, members } = this.props;
    const { chat } = context;
    let found: Found = { users: [], inRoom: [] };
    let problem: string | undefined;
    if ((members !== undefined || chat.can.findPeople) && codePoints(query) <= LONGEST_QUERY) {
      try {
        found = await this.#ask(query);
      } catch (error) {
        if (!(error instanceof RequestError)) throw error;
        problem = refusal(error, context.strings);
      }
    }
    if (this.#timer === undefined || this.#text.trim() !== query) return;
    const { chips } = this.props;
    const chosen = new Set([chat.me?.id, ...chips.map(({ user }) => user.id)]);
    const options: Option[] = found.users
      .filter(({ id }) => !chosen.has(id))
      .map((user) => ({ user, inRoom: found.inRoom.includes(user.id) }));
    const isNobody = found.users.length === 0 && problem === undefined && !chosen.has(query);
    if (isNobody && this.#mayTypeId && codePoints(query) <= LONGEST_ID)
      options.push({ user: { id: query, name: query }, exact: true });
    this.#options = options;
    this.#answered = query;
    this.#problem = problem;
    // The text may be a name, so an admin must choose it explicitly to use it as an ID.
    this.#hot = options.findIndex(({ inRoom, exact }) => inRoom !== true && exact !== true);
    const hot = this.#options[this.#hot];
    if (this.#hurried && hot !== undefined) return this.#take(hot);
    this.#hurried = false;
    context.changed();
  }

  async #ask(query: string): Promise<Found> {
    const { context, members, room } = this.props;
    if (members === undefined) {
      const payload = { query, limit: NAMES, room };
      return context.chat.request('user:find', payload);
    }
    // Requests one more, because the result may contain the user of this client, who is not offered.
    const payload = { room: members.id, limit: NAMES + 1, query: query || undefined };
    const answer = await foundMembers(context.chat, payload);
    return { users: answer.members.map(({ user }) => user), inRoom: [] };
  }

  #take(option: Option): void {
    if (option.inRoom === true) return;
    const { inRoom: _, ...chip } = option;
    clearTimeout(this.#timer);
    this.#options = undefined;
    this.#answered = '';
    this.#set(this.props.single === true ? option.user.name : '');
    // Redraws now, so that the next key does not add to the old text.
    this.props.context.draw();
    this.#input.current?.focus();
    this.props.chosen(this.props.single === true ? [chip] : [...this.props.chips, chip]);
  }

  #several(parts: readonly string[]): void {
    const chips = [...this.props.chips];
    for (const part of parts) {
      const id = part.trim();
      if (isBlank(id) || codePoints(id) > LONGEST_ID || chips.some(({ user }) => user.id === id)) continue;
      chips.push({ user: { id, name: id }, exact: true });
    }
    this.#options = undefined;
    this.#set('');
    this.props.context.draw();
    this.props.chosen(chips);
  }

  #move(by: 1 | -1): void {
    const options = this.#options ?? [];
    for (let at = this.#hot + by; at >= 0 && at < options.length; at += by) {
      if (options[at]?.inRoom === true) continue;
      this.#hot = at;
      break;
    }
    this.props.context.changed();
  }

  readonly #paste = (event: ClipboardEvent) => {
    const text = event.clipboardData?.getData('text/plain') ?? '';
    if (!this.#takesIds || !SEPARATORS.test(text.trim())) return;
    event.preventDefault();
    this.#several(text.split(SEPARATORS));
  };

  readonly #key = (event: KeyboardEvent) => {
    if (composes(event)) return;
    const { chips, chosen, single } = this.props;
    const empty = this.#text === '';
    const takes = confirms(event) || event.key === 'Tab' || (event.key === ',' && single !== true);
    if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
      this.#move(event.key === 'ArrowDown' ? 1 : -1);
    } else if (takes && !event.shiftKey && this.finish()) {
      // The text was taken as a user, or will be.
    } else if (event.key === 'Backspace' && empty && chips.length > 0) {
      chosen(chips.slice(0, -1));
    } else if (event.key === 'Escape' && this.#options !== undefined && !empty) {
      this.#options = undefined;
      this.props.context.changed();
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  };
}
