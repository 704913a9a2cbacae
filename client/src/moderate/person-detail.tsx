import { Component, type ComponentChildren } from 'preact';
import { mostReports, mostRooms } from '../../../server/wire/counted.ts';
import type { Answers, Report, RestrictionOfPerson } from '../../../server/wire/events.ts';
import type { Follower } from '../chat/chat-listener.ts';
import { RequestError } from '../connection/connection-state.ts';
import { hashOf as hashOfRoom } from '../text/page-address.ts';
import { Bones } from '../views/controls/bones.tsx';
import { Empty } from '../views/controls/empty.tsx';
import { Icon } from '../views/controls/icon.tsx';
import type { Restriction } from '../views/moderation/restrict.tsx';
import { timeToCome } from '../views/moderation/restriction-words.ts';
import { Avatar } from '../views/people/avatar.tsx';
import { siteAddress } from '../views/people/site-address.ts';
import { refusal } from '../views/refusal.ts';
import { listTime } from '../views/rooms/list-time.ts';
import type { DeskContext } from './desk-context.ts';
import { counted, roomName } from './mod-words.ts';
import { Failed } from './nothing.tsx';
import { keyOf } from './queue.ts';
import { RestrictPerson } from './restrict-person.tsx';
import { Scroll } from './scroll.tsx';

type Person = Answers['moderate:person'];

interface Props {
  readonly context: DeskContext;
  readonly id: string;
  /** Called after an action, because the list of people may change. */
  acted(): void;
}

/** A user with rooms, restrictions, reports and data, and the actions on them. */
export class PersonDetail extends Component<Props> {
  #person: Person | 'unknown' | 'failed' | undefined;
  #unmounted = false;
  readonly #follower: Follower = { ready: () => void this.#load() };

  override componentDidMount(): void {
    this.props.context.chat.followers.add(this.#follower);
    void this.#load();
  }

  override componentWillUnmount(): void {
    this.#unmounted = true;
    this.props.context.chat.followers.delete(this.#follower);
  }

  override render({ context }: Props) {
    const { chat, strings } = context;
    const person = this.#person;
    const known = typeof person === 'object' ? person : undefined;
    const url = context.attribute('profile-url') ?? chat.profile.url;
    const profile = known && url !== undefined ? siteAddress(url, known.user.id) : undefined;
    return (
      <>
        <div class="bar">
          <button
            type="button"
            class="icon back"
            aria-label={strings.text('mod.back')}
            onClick={context.back}
          >
            <Icon name="back" />
          </button>
          <h2 tabIndex={-1}>
            <bdi>{known === undefined ? this.props.id : strings.name(known.user)}</bdi>
          </h2>
          {profile !== undefined && (
            <a class="btn s quiet" href={profile} target="_blank" rel="noopener noreferrer">
              <Icon name="outside" />
              {strings.text('people.profile')}
            </a>
          )}
        </div>
        <Scroll label={known === undefined ? this.props.id : strings.name(known.user)}>
          {this.#content(person)}
        </Scroll>
      </>
    );
  }

  #content(person: Person | 'unknown' | 'failed' | undefined) {
    const { context } = this.props;
    const { strings } = context;
    if (person === 'unknown')
      return (
        <Empty
          picture="person"
          title={strings.text('mod.unknown.title')}
          text={strings.text('mod.unknown.text')}
        />
      );
    if (person === 'failed')
      return (
        <Failed
          context={context}
          title={strings.text('details.error')}
          again={() => {
            this.#person = undefined;
            this.forceUpdate();
            void this.#load();
          }}
        />
      );
    if (person === undefined)
      return (
        <Bones>
          <div class="page bones" aria-hidden="true">
            {['w30', 'w85', 'w55', 'w70'].map((width) => (
              <span class={`bone line ${width}`} key={width} />
            ))}
          </div>
        </Bones>
      );
    return (
      <div class="page">
        {this.#head(person)}
        {this.#restrictions(person)}
        <div class="two-rows">
          {this.#rooms(person)}
          {this.#reports(person)}
        </div>
        {this.#data(person)}
      </div>
    );
  }

  #head({ user, here, lastHere, since, messages, restrictions, rooms, may }: Person) {
    const { context } = this.props;
    const { strings } = context;
    const now = here ? strings.text('rooms.here') : lastHere !== undefined && strings.lastHere(lastHere);
    const facts = [
      strings.text('mod.id', { id: user.id }),
      now,
      since !== undefined && strings.text('mod.firstHere', { when: strings.dayWithin(since) }),
      strings.count('mod.messages', messages, { n: counted(messages, strings) }),
    ];
    const kinds = [...new Set(restrictions.map(({ kind }) => kind))];
    return (
      <div class="person-head">
        <Avatar user={user} kind={here ? 'here' : ''} />
        <div>
          <h3>
            <bdi>{strings.name(user)}</bdi>
            {kinds.map((kind) => (
              <span class={kind === 'banned' ? 'act bad' : 'act warn'} key={kind}>
                <Icon name={kind === 'banned' ? 'ban' : 'muted'} />
                {strings.text(`mod.act.${kind}`)}
              </span>
            ))}
          </h3>
          <p>{facts.filter(Boolean).join(' · ')}</p>
        </div>
        {may.ban && rooms.length > 0 && (
          <button type="button" class="btn s" onClick={() => this.#restrict('mute')}>
            <Icon name="muted" />
            {strings.text('mute.action')}
          </button>
        )}
        {may.ban && (
          <button type="button" class="btn s bad" onClick={() => this.#restrict('ban')}>
            <Icon name="ban" />
            {strings.text('ban.action')}
          </button>
        )}
      </div>
    );
  }

  #restrictions({ restrictions, may }: Person) {
    const { strings } = this.props.context;
    if (restrictions.length === 0) return undefined;
    return this.#section(strings.text('mod.restrictionsHead'), strings.number(restrictions.length), [
      <ul class="rows" key="rows">
        {restrictions.map((one) => (
          <li key={`${one.kind} ${one.room}`}>
            <Icon name={one.kind === 'banned' ? 'ban' : 'muted'} />
            <div>
              {this.#where(one)}
              <small>{this.#why(one)}</small>
            </div>
            {may.ban && (
              <button type="button" class="btn s" onClick={() => void this.#end(one)}>
                {strings.text('mod.end')}
              </button>
            )}
          </li>
        ))}
      </ul>,
    ]);
  }

  #where({ kind, room, name = room }: RestrictionOfPerson): string {
    const { strings } = this.props.context;
    if (name === undefined) return strings.text('mod.bannedSite');
    return strings.text(kind === 'muted' ? 'mod.mutedIn' : 'mod.bannedIn', { room: name });
  }

  #why({ until, by, reason }: RestrictionOfPerson): string {
    const { strings } = this.props.context;
    return [
      until === undefined
        ? strings.text('mute.forever')
        : strings.text('mod.until', { when: timeToCome(until, strings) }),
      by === undefined ? strings.text('mod.site') : strings.text('restricted.by', { name: strings.name(by) }),
      reason !== undefined && strings.text('composer.reason', { text: reason }),
    ]
      .filter(Boolean)
      .join(' · ');
  }

  #rooms({ rooms }: Person) {
    const { chat, strings } = this.props.context;
    if (rooms.length === 0) return undefined;
    return this.#section(strings.text('rooms.list'), counted(rooms.length, strings, mostRooms), [
      <ul class="rows" key="rows">
        {rooms.map(({ room, name, kind, role }) => (
          <li key={room}>
            <Icon name={kind === 'private' ? 'lock' : 'hash'} />
            <div>
              <a href={`${chat.server}${hashOfRoom(room)}`} target="_blank" rel="noopener">
                <bdi>{name}</bdi>
              </a>
            </div>
            <small>{strings.text(role === 'member' ? 'mod.member' : `people.${role}`)}</small>
          </li>
        ))}
      </ul>,
    ]);
  }

  #reports({ reports, reportsBy }: Person) {
    const { strings } = this.props.context;
    if (reports.length === 0 && reportsBy === 0) return undefined;
    return this.#section(
      strings.text('reports.title'),
      strings.text('mod.aboutBy', {
        n: counted(reports.length, strings, mostReports),
        m: counted(reportsBy, strings),
      }),
      [
        reports.length > 0 && (
          <ul class="rows" key="rows">
            {reports.map((report) => this.#report(report))}
          </ul>
        ),
      ],
    );
  }

  #report(report: Report) {
    const { context } = this.props;
    const { strings, go } = context;
    const { id, room, reason, at, closed } = report;
    return (
      <li key={id}>
        <Icon name={closed === undefined ? 'flag' : 'check'} />
        <div>
          {strings.text(`report.${reason}`)}
          <small>
            <bdi>{roomName(room, context)}</bdi>, {listTime(at, strings)}
            {closed !== undefined && `, ${strings.text(`mod.done.${closed.done}`)}`}
          </small>
        </div>
        {closed === undefined && (
          <button
            type="button"
            class="btn s quiet"
            onClick={() => {
              go({ section: 'queue', id: keyOf(report) });
              context.focusDetail();
            }}
          >
            {strings.text('direct.open')}
          </button>
        )}
      </li>
    );
  }

  #data({ user, may }: Person) {
    const { chat, strings } = this.props.context;
    return (
      <>
        {may.export && (
          <section>
            <h3>{strings.text('mod.data')}</h3>
            <ul class="rows">
              <li>
                <Icon name="save" />
                <div>
                  {strings.text('mod.export')}
                  <small>{strings.text('mod.exportHint')}</small>
                </div>
                <a
                  class="btn s"
                  href={`${chat.server}moderate/export?user=${encodeURIComponent(user.id)}`}
                  download=""
                >
                  {strings.text('mod.export')}
                </a>
              </li>
            </ul>
          </section>
        )}
        {may.erase && (
          <section class="danger-zone" aria-label={strings.text('mod.eraseHead')}>
            <div>
              <b>{strings.text('mod.eraseHead')}</b>
              <p>{strings.text('mod.eraseHint')}</p>
            </div>
            <button type="button" class="btn s bad" onClick={this.#erase}>
              <Icon name="eraser" />
              {strings.text('mod.erase')}
            </button>
          </section>
        )}
      </>
    );
  }

  #section(title: string, count: string, children: ComponentChildren[]) {
    return (
      <section>
        <h3>
          {title} <small>{count}</small>
        </h3>
        {children}
      </section>
    );
  }

  #restrict(how: 'mute' | 'ban'): void {
    const { context } = this.props;
    const person = this.#person;
    if (typeof person !== 'object') return;
    const rooms = person.rooms.map(({ room, name }) => ({ id: room, name }));
    context.dialog((close) => (
      <RestrictPerson
        context={context}
        how={how}
        user={person.user.id}
        name={context.strings.name(person.user)}
        places={how === 'ban' ? [undefined, ...rooms] : rooms}
        run={(room, restriction) => this.#lay(how, room, restriction)}
        close={close}
      />
    ));
  }

  async #lay(
    how: 'mute' | 'ban',
    room: string | undefined,
    restriction: Restriction & { messages?: 'delete' },
  ): Promise<void> {
    const { chat, strings, toast } = this.props.context;
    const { id: user } = this.props;
    if (room === undefined) await chat.request('moderate:ban', { user, ...restriction });
    else await chat.request(`room:${how}`, { room, user, ...restriction });
    await this.#load();
    this.props.acted();
    const name = typeof this.#person === 'object' ? strings.name(this.#person.user) : user;
    toast(strings.text(how === 'mute' ? 'mute.done' : 'ban.done', { name }), 'good');
  }

  async #end({ kind, room }: RestrictionOfPerson): Promise<void> {
    const { chat, strings, toast } = this.props.context;
    const user = this.props.id;
    try {
      if (room === undefined) await chat.request('moderate:ban', { user, end: true });
      else await chat.request(kind === 'muted' ? 'room:mute' : 'room:ban', { room, user, seconds: 0 });
      toast(strings.text('mod.ended'), 'good');
    } catch (error) {
      toast(refusal(error, strings), 'bad');
    }
    await this.#load();
    this.props.acted();
  }

  readonly #erase = async () => {
    const { context } = this.props;
    const person = this.#person;
    if (typeof person !== 'object') return;
    // Loaded on demand, because few users are erased.
    const part = await import('./erase-person.tsx').catch(() => undefined);
    if (part === undefined) return context.toast(context.strings.text('conn.lost'), 'bad');
    const { ErasePerson } = part;
    context.dialog((close) => (
      <ErasePerson
        context={context}
        person={person}
        done={() => {
          const { strings, go, toast } = context;
          this.props.acted();
          toast(strings.text('mod.erased', { name: person.user.name }), 'good');
          go({ section: 'people' });
          context.focusDetail();
        }}
        close={close}
      />
    ));
  };

  async #load(): Promise<void> {
    const { context, id } = this.props;
    try {
      this.#person = await context.chat.request('moderate:person', { user: id });
    } catch (error) {
      if (!(error instanceof RequestError)) throw error;
      if (error.code === 'unknown_user') this.#person = 'unknown';
      else if (typeof this.#person !== 'object') this.#person = 'failed';
    }
    if (!this.#unmounted) this.forceUpdate();
  }
}
