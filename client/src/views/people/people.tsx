import { Component, createRef } from 'preact';
import type { RoomMember } from '../../../../server/wire/events.ts';
import { RoomMembers } from '../../chat/room-members.ts';
import { type RestrictedUser, RoomRestricted } from '../../chat/room-restricted.ts';
import type { Room } from '../../store/room.ts';
import { composes } from '../../text/keys.ts';
import type { Context } from '../context.ts';
import { Empty } from '../controls/empty.tsx';
import { FilterField } from '../controls/filter-field.tsx';
import { Icon } from '../controls/icon.tsx';
import { RovingList } from '../controls/roving-list.tsx';
import { restrictionWords } from '../moderation/restriction-words.ts';
import { Avatar } from './avatar.tsx';
import { openPerson } from './open-person.tsx';

interface Props {
  readonly context: Context;
  readonly room: Room;
  /** The connection is lost, so presence is unknown. */
  readonly lost: boolean;
}

/** With more members, the panel has a field to find one. */
const MANY = 20;
const PAUSE_MS = 200;
/** Maximum number of banned users in the list. A dialog shows the others. */
const MOST_BANNED = 50;
/** The next page is fetched within this distance of the end, in CSS pixels. */
const AHEAD = 300;

/** The lists of each room, kept when the panel closes. Without a connection, they are all that is known. */
const known = new WeakMap<Room, { people: RoomMembers; restricted: RoomRestricted }>();

/** The members of the room: first those who are present, then the others. */
export class PeopleList extends Component<Props> {
  readonly #list = createRef<HTMLDivElement>();
  readonly #people: RoomMembers;
  readonly #restricted: RoomRestricted;
  /** The rights of the reader at the last render. */
  #isMember: boolean;
  #moderates: boolean;
  #query = '';
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(props: Props) {
    super(props);
    const { room, context } = props;
    const { chat, changed } = context;
    const lists = known.get(room) ?? {
      people: new RoomMembers(chat.connection, chat.tasks, room, changed),
      restricted: new RoomRestricted(chat.connection, chat.tasks, room, changed),
    };
    known.set(room, lists);
    this.#people = lists.people;
    this.#restricted = lists.restricted;
    this.#isMember = room.summary.role !== undefined;
    this.#moderates = room.summary.may.includes('moderate');
  }

  override componentDidMount(): void {
    for (const part of [this.#people, this.#restricted]) {
      this.props.context.chat.followers.add(part);
      part.ready();
    }
    this.#extend();
  }

  override componentDidUpdate(): void {
    const { role, may } = this.props.room.summary;
    const isMember = role !== undefined;
    const moderates = may.includes('moderate');
    // No member event reports that the user joined, left, or became a moderator.
    if (isMember !== this.#isMember) this.#people.ready();
    if (moderates !== this.#moderates) this.#restricted.ready();
    this.#isMember = isMember;
    this.#moderates = moderates;
    this.#extend();
  }

  override componentWillUnmount(): void {
    clearTimeout(this.#timer);
    for (const part of [this.#people, this.#restricted]) this.props.context.chat.followers.delete(part);
  }

  override render({ context, room, lost }: Props) {
    const { strings } = context;
    const { members } = room.summary;
    return (
      <>
        {members > MANY && this.#field()}
        <RovingList
          items=".person"
          label={strings.text('people.title')}
          element={this.#list}
          onScroll={this.#extend}
        >
          {this.#query.trim() === '' ? this.#everybody(lost) : this.#found()}
          {this.#query.trim() === '' && this.#banned()}
        </RovingList>
      </>
    );
  }

  #everybody(lost: boolean) {
    const { context, room } = this.props;
    const { strings } = context;
    const here = this.#people.list(true, strings.locale);
    const away = this.#people.list(false, strings.locale);
    const present = Math.max(here.length, room.presentCount);
    const others = Math.max(away.length, room.summary.members - present);
    const hidden = present - here.length + (others - away.length);
    // No list has loaded, for example if the room was first opened without a connection.
    if (lost && here.length + away.length === 0)
      return (
        <p class="note">
          {strings.text('conn.lost')}.{' '}
          <button type="button" class="link" onClick={() => context.chat.connection.tryNow()}>
            {strings.text('common.again')}
          </button>
        </p>
      );
    return [
      here.length > 0 && (
        <h3 class="section" key="here heading">
          {strings.text(lost ? 'people.lastSeen' : 'people.heading')} <span>{present}</span>
        </h3>
      ),
      <ul key="here">{here.map((member) => this.#person(member))}</ul>,
      away.length > 0 && (
        <h3 class="section" key="away heading">
          {strings.text('people.others')} <span>{others}</span>
        </h3>
      ),
      <ul key="away">{away.map((member) => this.#person(member))}</ul>,
      hidden > 0 && (
        <p class="note" key="hidden">
          {strings.text('people.more', { n: hidden })}
        </p>
      ),
    ];
  }

  #banned() {
    const { context, room } = this.props;
    const { strings, dialog } = context;
    // Member events and the list of bans arrive separately, so a user may be in both.
    const banned = this.#restricted.banned.filter(({ user }) => !this.#people.lists(user.id));
    if (banned.length === 0) return [];
    return [
      <h3 class="section" key="banned heading">
        {strings.text('people.banned')} <span>{banned.length}</span>
      </h3>,
      <ul key="banned">
        {banned
          .slice(0, MOST_BANNED)
          .map((ban) => this.#person({ user: ban.user, role: 'member', present: false }, ban))}
      </ul>,
      banned.length > MOST_BANNED && (
        <p class="note" key="all banned">
          <button type="button" class="link" onClick={() => dialog({ kind: 'restricted', room })}>
            {strings.text('people.more', { n: banned.length - MOST_BANNED })}
          </button>
        </p>
      ),
    ];
  }

  #found() {
    const { strings } = this.props.context;
    const { found } = this.#people;
    if (found === undefined) return undefined;
    if (found.length === 0) {
      const text = strings.text('rooms.filterNone', { q: this.#query.trim() });
      return <Empty picture="search" title={strings.text('search.none.title')} text={text} />;
    }
    return <ul>{found.map((member) => this.#person(member))}</ul>;
  }

  #person(member: RoomMember, ban?: RestrictedUser) {
    const { context, room } = this.props;
    const { chat, strings } = context;
    const { user, role, present } = member;
    const mark = ban ?? this.#restricted.mute(user.id);
    const inside = [
      <Avatar user={user} key="avatar" />,
      <span class="who" key="who">
        <span class="name">
          <bdi>{user.name}</bdi>
        </span>
        {role !== 'member' && <span class="role">{strings.text(`people.${role}`)}</span>}
        {mark !== undefined && (
          <span class="role off">
            <Icon name={mark.kind === 'banned' ? 'ban' : 'muted'} />
            {restrictionWords(mark, strings)}
          </span>
        )}
        {user.id === chat.me?.id && <small>{strings.text('people.you')}</small>}
      </span>,
    ];
    const kind = present ? 'person' : 'person away';
    return (
      <li key={user.id}>
        <button
          type="button"
          class={kind}
          tabIndex={-1}
          data-key={user.id}
          aria-haspopup="dialog"
          aria-expanded="false"
          onClick={(event) =>
            void openPerson({ room, user, banned: ban !== undefined }, context, event.currentTarget)
          }
        >
          {inside}
        </button>
      </li>
    );
  }

  #field() {
    const { context } = this.props;
    const { strings } = context;
    const label = strings.text('people.find');
    return (
      <FilterField
        label={label}
        query={this.#query}
        typed={(query) => this.#look(query)}
        pressed={(event) => {
          if (event.key !== 'Escape' || composes(event) || this.#query === '') return;
          this.#look('');
          // Redraws now, so that the next key does not add to the old text.
          context.draw();
          event.preventDefault();
          event.stopPropagation();
        }}
      />
    );
  }

  #look(query: string): void {
    this.#query = query;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#people.find(query), PAUSE_MS);
    this.props.context.changed();
  }

  readonly #extend = () => {
    const list = this.#list.current;
    const people = this.#people;
    const present = people.more(true);
    if (this.#query.trim() !== '' || !(present || people.more(false))) return;
    if (list === null || list.clientHeight === 0) return;
    if (list.scrollHeight - list.scrollTop - list.clientHeight <= AHEAD) void people.load(present);
  };
}
