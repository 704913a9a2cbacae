import type { Invite, MembersChange, RoomMember } from '../../../../server/wire/events.ts';
import type { Follower } from '../../chat/chat-listener.ts';
import { RequestError } from '../../connection/connection-state.ts';
import type { Room } from '../../store/room.ts';
import type { Note } from '../../store/timeline-blocks.ts';
import { hashOf, inviteHash } from '../../text/page-address.ts';
import type { Context } from '../context.ts';
import { copied } from '../controls/copy.ts';
import { Icon } from '../controls/icon.tsx';
import { Avatar } from '../people/avatar.tsx';
import { openPerson } from '../people/open-person.tsx';
import type { PinnedMessages } from '../pins/pinned-messages.tsx';
import type { QuestionViews } from '../questions/question-views.tsx';
import { refusal } from '../refusal.ts';
import type { Speaker } from '../speaker.tsx';
import { chatPage } from '../visits/message-links.ts';
import { firstRun } from './first-run.tsx';
import { RoomFace } from './room-face.tsx';

/** In a room with more members, the members are not loaded for the card and the lines. */
const MOST_MEMBERS = 50;
/** Maximum number of names in a line. */
const MOST_NAMED = 3;

/** The card at the start of a room, and the lines about users who joined it. */
export class RoomStart implements Follower {
  readonly #context: Context;
  readonly #pins: PinnedMessages;
  readonly #questions: QuestionViews;
  readonly #speaker: Speaker;
  /** The members of small rooms that users created, by ID. */
  readonly #members = new WeakMap<Room, { readonly turn: number; readonly list: Map<string, RoomMember> }>();
  /** Numbers the requests for members, so that a late response does not replace a newer one. */
  #turn = 0;
  /** The invite links that the card created, so that further clicks copy the same link. */
  readonly #links = new WeakMap<Room, { readonly id: string; readonly address: string }>();
  /** Whether a link is being created or copied. */
  #copying = false;

  constructor(context: Context, pins: PinnedMessages, questions: QuestionViews, speaker: Speaker) {
    this.#context = context;
    this.#pins = pins;
    this.#questions = questions;
    this.#speaker = speaker;
    for (const room of context.chat.rooms.values()) if (room.joined) this.joined(room);
  }

  joined(room: Room): void {
    const { chat, changed } = this.#context;
    const { kind, members, question } = room.summary;
    if (kind === 'direct' || question || !room.id.startsWith('u-') || members > MOST_MEMBERS) {
      this.#members.delete(room);
      return;
    }
    const turn = ++this.#turn;
    void chat.tasks.once(`start of ${room.id} ${turn}`, async (current) => {
      const wanted = { room: room.id, joined: true, limit: MOST_MEMBERS } as const;
      const answer = await chat.request('room:members', wanted);
      const known = this.#members.get(room);
      if (!current() || turn < (known?.turn ?? 0)) return;
      const before = known === undefined ? undefined : this.#joinedUsers(room);
      const list = answer.members.map((member) => [member.user.id, member] as const);
      this.#members.set(room, { turn, list: new Map(list) });
      if (before !== undefined) this.#announce(room, before);
      changed();
    });
  }

  members({ room: id, changed, partial }: MembersChange): void {
    const room = this.#context.chat.rooms.get(id);
    const { list } = (room && this.#members.get(room)) ?? {};
    if (room === undefined || list === undefined) return;
    const before = this.#joinedUsers(room);
    let isComplete = partial !== true;
    for (const change of changed) {
      const { id: user } = change.user;
      const known = list.get(user);
      if ('gone' in change) list.delete(user);
      else if (known !== undefined) list.set(user, { ...known, ...change });
      else isComplete = false;
    }
    this.#announce(room, before);
    if (!isComplete) this.joined(room);
  }

  /** The lines between the messages: pins, notes of the team, and users who joined a private room. */
  notes(room: Room): Note[] {
    const joins = [...this.#joins(room)].map(([after, members]) => ({ after, line: this.#line(members) }));
    return [...this.#pins.notes(room), ...this.#questions.notes(room), ...joins];
  }

  draw(room: Room, empty: boolean) {
    const { strings } = this.#context;
    const { kind, topic, members } = room.summary;
    const card = empty ? firstRun(this.#context) : undefined;
    if (card !== undefined) return card;
    if (room.summary.question !== undefined) return this.#questions.start();
    const name = strings.roomName(room.summary);
    const isDirect = kind === 'direct';
    const first = this.#joins(room).get(0);
    return [
      <div class="room-start" key="start">
        <RoomFace summary={room.summary} />
        <h3>{strings.text(isDirect ? 'timeline.startDirect' : 'timeline.start', { name, room: name })}</h3>
        {topic !== undefined && (
          <p class="topic" dir="auto">
            {topic}
          </p>
        )}
        {!isDirect && <p>{strings.count(`rooms.about.${kind}`, members)}</p>}
        {this.#owner(room, empty)}
        {empty && (
          <p>{strings.text(isDirect ? 'empty.direct.text' : 'empty.room.text', { name, room: name })}</p>
        )}
        {!isDirect && this.#invitations(room, empty)}
      </div>,
      first && this.#line(first),
    ];
  }

  #known(room: Room): RoomMember[] {
    return [...(this.#members.get(room)?.list.values() ?? [])];
  }

  #owner(room: Room, empty: boolean) {
    const { strings } = this.#context;
    const owner = this.#known(room).find(({ role }) => role === 'owner');
    if (owner === undefined) return undefined;
    const { user } = owner;
    return (
      <button
        type="button"
        class="owner"
        tabIndex={stop(empty)}
        aria-haspopup="dialog"
        aria-expanded="false"
        onClick={({ currentTarget }) => void openPerson({ room, user }, this.#context, currentTarget)}
      >
        <Avatar user={user} />
        <bdi>{strings.name(user)}</bdi>
        <small>{strings.text('people.owner')}</small>
      </button>
    );
  }

  #invitations(room: Room, empty: boolean) {
    const { strings, dialog } = this.#context;
    const { kind, may } = room.summary;
    const mayInvite = may.includes('invite');
    if (kind === 'private' && !mayInvite) return undefined;
    return (
      <div class="acts">
        {mayInvite && (
          <button
            type="button"
            class={empty ? 'btn primary' : 'btn'}
            tabIndex={stop(empty)}
            onClick={() => dialog({ kind: 'invite', room })}
          >
            <Icon name="invite" />
            {strings.text('invite.open')}
          </button>
        )}
        <button type="button" class="btn" tabIndex={stop(empty)} onClick={() => this.#copy(room)}>
          <Icon name="link" />
          {strings.text('copyLink.action')}
        </button>
      </div>
    );
  }

  /** Copies the address of a public room, or an invite link to a private room, which is created if there is none. */
  #copy(room: Room): void {
    const { strings, toast, dialog } = this.#context;
    const { kind, name } = room.summary;
    const isPublic = kind === 'public';
    // The page cannot copy, so the dialog shows the link.
    if (!isPublic && navigator.clipboard === undefined) return dialog({ kind: 'inviteLink', room });
    if (this.#copying) return;
    this.#copying = true;
    const done = strings.text('copyLink.donePublic');
    copied(isPublic ? chatPage(this.#context) + hashOf(room.id) : this.#invite(room))
      .then(
        () => toast(isPublic ? done : `${done} ${strings.text('link.text', { room: name })}`, 'good'),
        (error) => {
          const failed = strings.text('link.failed');
          toast(error instanceof RequestError ? refusal(error, strings, failed) : failed, 'bad');
        },
      )
      .finally(() => {
        this.#copying = false;
      });
  }

  async #invite(room: Room): Promise<string> {
    const { chat } = this.#context;
    const before = this.#links.get(room);
    if (before !== undefined) {
      const { invites } = await chat.request('invite:list', { room: room.id });
      const invite = invites.find(({ id }) => id === before.id);
      if (invite !== undefined && works(invite, chat.clock.now)) return before.address;
    }
    const { invite, token } = await chat.request('invite:create', { room: room.id });
    const address = chatPage(this.#context) + inviteHash(token);
    this.#links.set(room, { id: invite.id, address });
    return address;
  }

  /** The other users who joined a private room, by the newest message at that time. */
  #joins(room: Room): Map<number, RoomMember[]> {
    const { me } = this.#context.chat;
    // On a site with names, a user who was added and has not been here yet has none.
    const hasNames = me?.name !== me?.id;
    const members = this.#known(room).filter(
      ({ user, after, role }) =>
        after !== undefined &&
        user.id !== me?.id &&
        !(hasNames && user.name === user.id) &&
        !(after === 0 && role === 'owner'),
    );
    return Map.groupBy(members, ({ after = 0 }) => after);
  }

  #joinedUsers(room: Room): RoomMember[] {
    return [...this.#joins(room).values()].flat();
  }

  /** Announces the users who joined the shown room, without those who joined before. */
  #announce(room: Room, before: readonly RoomMember[]): void {
    const known = new Set(before.map(({ user }) => user.id));
    const joined = this.#joinedUsers(room).filter(({ user }) => !known.has(user.id));
    if (room === this.#context.chat.current && joined.length > 0) this.#speaker.say(this.#words(joined));
  }

  #words(members: readonly RoomMember[]): string {
    const { strings } = this.#context;
    const names = members.map(({ user }) => strings.name(user));
    const list = new Intl.ListFormat(strings.locale);
    const n = names.length - MOST_NAMED;
    const shown =
      n > 0
        ? strings.text('react.others', { names: strings.list(names.slice(0, MOST_NAMED)), n })
        : list.format(names);
    return strings.text('join.line', { names: shown });
  }

  #line(members: readonly RoomMember[]) {
    return (
      <p class="note sys" key={`joined ${members[0]?.user.id}`}>
        <Icon name="person" size="s" />
        <span>{this.#words(members)}</span>
      </p>
    );
  }
}

/** Tab leads to the newest message and not to the start of the room. Its menu and details have the same actions. */
const stop = (empty: boolean) => (empty ? 0 : -1);

function works({ until = Infinity, uses = Infinity, used }: Invite, now: number): boolean {
  return until > now && used < uses;
}
