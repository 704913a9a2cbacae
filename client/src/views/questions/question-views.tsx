import type { Note as InnerNote, Question, RoomSummary, User } from '../../../../server/wire/events.ts';
import type { Follower, RoomRemoval } from '../../chat/chat-listener.ts';
import { text } from '../../chat/form.ts';
import { Questions } from '../../chat/questions.ts';
import { RequestError } from '../../connection/connection-state.ts';
import type { Room } from '../../store/room.ts';
import type { Note } from '../../store/timeline-blocks.ts';
import { atMost99 } from '../../strings/strings.ts';
import { sitePath } from '../cards/site.ts';
import type { Context } from '../context.ts';
import { Icon, IconButton } from '../controls/icon.tsx';
import { type MenuItem, openMenu } from '../controls/menu.tsx';
import { Avatar } from '../people/avatar.tsx';
import { refusal } from '../refusal.ts';
import type { Speaker } from '../speaker.tsx';
import { Faces, type startAsking } from './asking.tsx';
import { howLong } from './how-long.ts';
import { QuestionList } from './question-list.tsx';

type State = NonNullable<RoomSummary['question']>;

/** The times for which questions wait are shown again after this time, in ms. */
const TICK_MS = 60_000;

/** The storage key of the guest's address in a short form. The server never sends the address. */
const ADDRESS = 'address';

/** Others may use the same browser, so it shows only the first letter and the domain. */
const shortAddress = (mail: string) => mail.replace(/(?<=^.).*(?=@)/su, '…');

/** The list of questions, and what a question has besides a room: the bar at its top, and the notes of the team. */
export class QuestionViews implements Follower {
  readonly #context: Context;
  readonly #asking: ReturnType<typeof startAsking>;
  readonly #speaker: Speaker;
  readonly questions: Questions;
  #isOpen = false;
  /** Whether the guest is changing the address that was given before. */
  #changesAddress = false;
  /** The state of the asker's question when its bar was last rendered. */
  #asked: { readonly room: string; readonly state: State['state'] } | undefined;

  constructor(
    context: Context,
    asking: ReturnType<typeof startAsking>,
    speaker: Speaker,
    signal: AbortSignal,
  ) {
    this.#context = context;
    this.#asking = asking;
    this.#speaker = speaker;
    this.questions = new Questions(context.chat, context.changed);
    context.chat.followers.add(this.questions);
    context.chat.followers.add(this);
    const tick = setInterval(() => context.chat.answers && context.changed(), TICK_MS);
    signal.addEventListener('abort', () => clearInterval(tick));
  }

  /** Announces who has the open question now, or that it was closed. */
  question({ room: id, state, by }: Question): void {
    const { current } = this.#context.chat;
    const before = current?.id === id ? current.summary.question : undefined;
    if (before === undefined || (before.state === state && before.by?.id === by?.id)) return;
    this.#speaker.say(this.#who(state, by));
  }

  /** The user stays in an open question when another member of the team takes it, which ends the membership. */
  removed(room: Room, { reason }: RoomRemoval): void {
    const { chat } = this.#context;
    const isTaken = reason === 'left' && this.questions.isJustTaken(room);
    if (isTaken && room === chat.current && chat.answers) void this.#open(room.id);
  }

  /** Whether the list replaces the list of rooms. */
  get isOpen(): boolean {
    return this.#isOpen && this.#context.chat.answers;
  }

  toggle(): void {
    this.#isOpen = !this.#isOpen;
    if (this.#isOpen) this.questions.show();
    else this.questions.hide();
    this.#context.draw();
  }

  /** The button that shows the questions instead of the rooms, with the unread messages in them. */
  entry() {
    const { chat, strings } = this.#context;
    if (!chat.answers) return undefined;
    const unread = chat.list
      .own()
      .reduce(
        (sum, room) => (room.summary.question === undefined || room.muted ? sum : sum + chat.unreadIn(room)),
        0,
      );
    return (
      <button
        type="button"
        class="room to-questions"
        aria-expanded={this.isOpen}
        onClick={() => this.toggle()}
      >
        <Icon name="question" />
        <span class="name">
          {strings.text('questions.title')}
          {unread > 0 && <span class="vh">, {strings.text('rooms.unread', { n: unread })}</span>}
        </span>
        {unread > 0 && (
          <span class="badge" aria-hidden="true">
            {atMost99(unread)}
          </span>
        )}
        <Icon name="fold" size="s" />
      </button>
    );
  }

  list() {
    if (!this.isOpen) return undefined;
    return (
      <QuestionList
        context={this.#context}
        questions={this.questions}
        open={(id) => void this.#open(id)}
        act={this.#act}
      />
    );
  }

  /** The shortcuts in the list. `Shortcuts` lists them. */
  readonly #act = (key: string, { room: id, state }: Question): boolean => {
    const isOpen = state === 'open';
    if (key === 'n') this.#context.dialog({ kind: 'note', room: { id } });
    else if (key === 't' && isOpen) this.#run(() => this.questions.take({ id }));
    else if (key === 'c' && isOpen) this.#run(() => this.questions.close({ id }));
    else return false;
    return true;
  };

  /** The bar above the messages of a question. */
  bar(room: Room) {
    const { question } = room.summary;
    if (question === undefined) return undefined;
    if (this.#context.chat.answers) return this.#teamBar(room, question);
    this.#announceClosing(room, question);
    return this.#askerBar(question);
  }

  /** Announces to the asker that the team closed the question. Only the summary of the room tells the asker. */
  #announceClosing({ id }: Room, { state }: State): void {
    const before = this.#asked;
    this.#asked = { room: id, state };
    if (before?.room === id && before.state === 'open' && state === 'closed')
      this.#speaker.say(this.#context.strings.text('ask.closed'), { room: id });
  }

  /** Shown at the start of a question: to the asker, what to expect. */
  start() {
    if (this.#context.chat.answers) return null;
    const { team, words } = this.#asking.expectation();
    return (
      <div class="room-start" key="start">
        <Faces team={team} context={this.#context} />
        {words !== undefined && <p>{words}</p>}
      </div>
    );
  }

  /** The notes of the team as lines between the messages. */
  notes(room: Room): Note[] {
    if (room.summary.question === undefined) return [];
    return this.questions.notes(room).map((note) => ({ after: note.after, line: this.#note(note) }));
  }

  async #open(id: string): Promise<void> {
    const { chat, strings, toast, open } = this.#context;
    try {
      if (!chat.rooms.has(id)) await this.questions.open(id);
      open(id);
    } catch (error) {
      toast(refusal(error, strings), 'bad');
    }
  }

  /** Runs a request of a button. */
  #run(task: () => Promise<void>): void {
    const { strings, toast } = this.#context;
    task().catch((error: unknown) => {
      const { question } = error instanceof RequestError ? error : {};
      const words =
        question?.by === undefined
          ? refusal(error, strings)
          : strings.text('questions.taken', { name: strings.name(question.by) });
      toast(words, 'bad');
    });
  }

  #teamBar(room: Room, state: State) {
    const { chat, strings } = this.#context;
    const known: Question | undefined = this.questions.of(room);
    const { waitingSince } = known ?? {};
    const by = known === undefined ? state.by : known.by;
    const isOpen = (known ?? state).state === 'open';
    const words = [
      this.#who((known ?? state).state, by),
      isOpen &&
        waitingSince !== undefined &&
        strings.text('questions.waits', { time: howLong(chat.clock.now - waitingSince, strings) }),
    ].filter(Boolean);
    return (
      <section class="pins asked" aria-label={strings.text('questions.title')}>
        <span class="is">{words.join(' · ')}</span>
        {this.#page(state)}
        {isOpen && by === undefined && (
          <button type="button" class="btn small" onClick={() => this.#run(() => this.questions.take(room))}>
            {strings.text('questions.take')}
          </button>
        )}
        <button
          type="button"
          class="icon"
          aria-label={strings.text('questions.menu')}
          aria-haspopup="menu"
          aria-expanded="false"
          onClick={({ currentTarget }) => this.#menu(room, isOpen, by, currentTarget)}
        >
          <Icon name="dots" />
        </button>
      </section>
    );
  }

  #who(state: State['state'], by: User | undefined): string {
    const { chat, strings } = this.#context;
    if (state === 'closed') return strings.text('questions.isClosed');
    if (by === undefined) return strings.text('questions.free');
    return by.id === chat.me?.id
      ? strings.text('questions.yours')
      : strings.text('questions.has', { name: strings.name(by) });
  }

  #menu(room: Room, isOpen: boolean, by: User | undefined, opener: HTMLElement): void {
    const { chat, strings, dialog } = this.#context;
    const me = chat.me?.id ?? '';
    const items: (MenuItem | false)[] = [
      isOpen &&
        by?.id !== me && {
          picture: 'check',
          label: strings.text('questions.take'),
          run: () =>
            this.#run(() => (by === undefined ? this.questions.take(room) : this.questions.hand(room, me))),
        },
      isOpen &&
        this.questions.team.length > 1 && {
          picture: 'forward',
          label: strings.text('questions.hand'),
          run: () => this.#handMenu(room, by, opener),
        },
      { picture: 'edit', label: strings.text('questions.note'), run: () => dialog({ kind: 'note', room }) },
      { picture: 'list', label: strings.text('questions.snippets'), run: () => dialog({ kind: 'snippets' }) },
      isOpen && {
        picture: 'close',
        label: strings.text('questions.close'),
        apart: true,
        run: () => this.#run(() => this.questions.close(room)),
      },
    ];
    openMenu(this.#context, opener, {
      label: strings.text('questions.menu'),
      items: items.filter((item) => item !== false),
    });
  }

  #handMenu(room: Room, by: User | undefined, opener: HTMLElement): void {
    const { strings } = this.#context;
    const others = this.questions.team.filter(({ id }) => id !== by?.id);
    openMenu(this.#context, opener, {
      label: strings.text('questions.hand'),
      items: others.map((user) => ({
        picture: 'person',
        label: strings.name(user),
        run: () => this.#run(() => this.questions.hand(room, user.id)),
      })),
    });
  }

  /** The page where the question was asked. */
  #page({ about }: State) {
    if (about === undefined) return undefined;
    const href = sitePath(this.#context, about.page);
    return (
      <a href={href} target="_blank" rel="noopener noreferrer" title={about.page}>
        <Icon name="link" size="s" />
        <bdi>{about.title ?? about.page}</bdi>
      </a>
    );
  }

  #askerBar({ state, address }: State) {
    const { chat, strings } = this.#context;
    if (state === 'closed')
      return (
        <section class="pins asked">
          <span class="is">{strings.text('ask.closed')}</span>
        </section>
      );
    if (chat.can.address !== true) return undefined;
    if (address !== undefined && !this.#changesAddress)
      return (
        <section class="pins asked">
          <Icon name="mail" size="s" />
          <span class="is">
            {strings.text('ask.mailSaved')} <bdi>{chat.store?.get(ADDRESS, text)}</bdi>
          </span>
          <button type="button" class="link" onClick={() => this.#changeAddress(true)}>
            {strings.text('action.edit')}
          </button>
        </section>
      );
    return (
      <form class="pins asked" onSubmit={(event) => this.#setAddress(event)}>
        <input
          class="input"
          name="mail"
          type="email"
          autocomplete="email"
          maxLength={254}
          required={address === undefined}
          placeholder={strings.text('ask.mail')}
          aria-label={strings.text('ask.mail')}
        />
        <button type="submit" class="btn small">
          {strings.text('common.save')}
        </button>
        {this.#changesAddress && (
          <IconButton
            name="close"
            label={strings.text('common.cancel')}
            press={() => this.#changeAddress(false)}
          />
        )}
      </form>
    );
  }

  /** Shows or hides the field instead of the address that was given before. */
  #changeAddress(changes: boolean): void {
    this.#changesAddress = changes;
    this.#context.draw();
    this.#context.focus(changes ? '.asked .input' : '.asked .link');
  }

  /** An empty field deletes the address that was given before. */
  #setAddress(event: SubmitEvent): void {
    event.preventDefault();
    const { chat, strings, toast, changed } = this.#context;
    const mail = String(new FormData(event.currentTarget as HTMLFormElement).get('mail') ?? '').trim();
    chat.request('question:address', { mail: mail === '' ? null : mail }).then(
      () => {
        this.#changesAddress = false;
        chat.store?.set(ADDRESS, shortAddress(mail));
        if (mail !== '') this.#speaker.say(strings.text('ask.mailSaved'));
        changed();
      },
      (error: unknown) => toast(refusal(error, strings), 'bad'),
    );
  }

  #note(note: InnerNote) {
    const { chat, strings } = this.#context;
    const { id, user, text, at } = note;
    return (
      // biome-ignore lint/a11y/useSemanticElements: it has no form fields.
      <div
        class="inner-note"
        role="group"
        aria-label={strings.text('questions.noteBy', { name: strings.name(user) })}
        key={`note ${id}`}
      >
        <Avatar user={user} />
        <div>
          <small>
            <b>
              <bdi>{strings.name(user)}</bdi>
            </b>
            {` · ${strings.text('questions.noteOnly')} · `}
            <time dateTime={new Date(at).toISOString()} title={strings.fullTime(at)}>
              {strings.time(at)}
            </time>
          </small>
          <p dir="auto">{text}</p>
        </div>
        {user.id === chat.me?.id && (
          <IconButton
            name="delete"
            label={strings.text('action.delete')}
            press={() => this.#run(() => this.questions.unnote(note))}
          />
        )}
      </div>
    );
  }
}
