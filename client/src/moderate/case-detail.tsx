import { Component, type ComponentChildren, createRef } from 'preact';
import { mostReports } from '../../../server/wire/counted.ts';
import type { Answers, Held, Message, Report } from '../../../server/wire/events.ts';
import type { Follower } from '../chat/chat-listener.ts';
import { RequestError } from '../connection/connection-state.ts';
import { hashOf as hashOfMessage } from '../text/page-address.ts';
import { Bones } from '../views/controls/bones.tsx';
import { Icon, type IconName } from '../views/controls/icon.tsx';
import { Roving } from '../views/controls/roving.ts';
import { Avatar } from '../views/people/avatar.tsx';
import type { DeskContext } from './desk-context.ts';
import { counted, isDirect, roomName } from './mod-words.ts';
import { RestFailed } from './nothing.tsx';
import { Pages } from './pages.ts';
import { hashOf } from './place.ts';
import { type Case, subjectOf } from './queue.ts';
import { ShownMessage, saidIn } from './shown-message.tsx';

/** An action on a message or its author. */
export interface CaseAction {
  readonly picture: IconName;
  readonly label: string;
  readonly key: string;
  /** `danger`, `bad`: the action removes something. */
  readonly kind?: 'danger' | 'bad' | 'primary';
  run(): void;
}

interface Props {
  readonly context: DeskContext;
  readonly one: Case;
  /** The actions on the message, and the actions on its author. */
  readonly actions: readonly [readonly CaseAction[], readonly CaseAction[]];
}

/** The number of messages that are shown with a pending message. */
const BEFORE = 3;

/** A message to decide on: the reports, its author, and the messages around it. */
export class CaseDetail extends Component<Props> {
  readonly #talk = createRef<HTMLDivElement>();
  #roving: Roving | undefined;
  #around: readonly Message[] | 'failed' | undefined;
  #author: Answers['moderate:person'] | 'failed' | undefined;
  /** The messages of the author while they are shown, the newest first, without direct rooms. */
  #all: Pages<Message> | undefined;
  #unmounted = false;
  readonly #follower: Follower = { ready: () => this.#load() };

  override componentDidMount(): void {
    this.props.context.chat.followers.add(this.#follower);
    const talk = this.#talk.current;
    if (talk !== null) this.#roving = new Roving(talk, '.msg');
    this.#load();
    this.componentDidUpdate();
  }

  override componentDidUpdate(): void {
    const target = this.#talk.current?.querySelector<HTMLElement>('.msg.target') ?? undefined;
    this.#roving?.update(target);
  }

  override componentWillUnmount(): void {
    this.#unmounted = true;
    this.props.context.chat.followers.delete(this.#follower);
  }

  override render({ context, one, actions: [onMessage, onAuthor] }: Props) {
    const { chat, strings } = context;
    const { room, user, at, seq } = subjectOf(one);
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
            <Avatar user={user} />
            <span class="titles">
              <bdi>{strings.name(user)}</bdi>
              <small>
                <bdi>{roomName(room, context)}</bdi> · {strings.onDay(strings.dayWithin(at), at)}
              </small>
            </span>
          </h2>
          {chat.parts.includes('people') && (
            <a
              class="icon"
              href={hashOf({ section: 'people', id: user.id })}
              aria-label={strings.text('mod.person')}
            >
              <Icon name="person" />
            </a>
          )}
          {chat.list.byId.has(room) && (
            <a
              class="icon"
              href={`${chat.server}${hashOfMessage(room, seq)}`}
              target="_blank"
              rel="noopener"
              aria-label={strings.text('mod.inRoom')}
            >
              <Icon name="outside" />
            </a>
          )}
        </div>
        {this.#about()}
        {one.kind === 'reported' && (
          <ul
            class="said"
            aria-label={strings.count('mod.reports', one.reports.length)}
            // A long list can be scrolled by keyboard.
            tabIndex={one.reports.length > 4 ? 0 : undefined}
          >
            {one.reports.map((report) => (
              <SaidAbout key={report.id} context={context} report={report} />
            ))}
          </ul>
        )}
        {/* biome-ignore lint/a11y/useSemanticElements: a fieldset belongs in a form. */}
        <div
          class="timeline scroll"
          role="group"
          aria-label={
            this.#all === undefined
              ? strings.text('timeline.label', { room: roomName(room, context) })
              : strings.text('mod.log.messages')
          }
          aria-busy={this.#all?.state === 'loading' || this.#around === undefined || undefined}
          ref={this.#talk}
        >
          <div class="column">{this.#all === undefined ? this.#messages() : this.#written(this.#all)}</div>
        </div>
        <div class="verdict">
          {onMessage.map((action) => this.#button(action))}
          <span class="spring" />
          {onAuthor.map((action) => this.#button(action))}
        </div>
      </>
    );
  }

  #about() {
    const { context, one } = this.props;
    const { strings, chat } = context;
    if (one.kind === 'held') return <OnHold context={context} held={one.held} />;
    const author = this.#author;
    if (!chat.can.people || author === 'failed') return undefined;
    const messages = author === undefined ? '' : counted(author.messages, strings);
    return (
      <div class="about-case">
        {author === undefined ? (
          <Bones>
            <span class="bone line w30" aria-hidden="true" />
          </Bones>
        ) : (
          <>
            {author.since !== undefined && (
              <span>{strings.text('mod.firstHere', { when: strings.dayWithin(author.since) })}</span>
            )}
            <span>{this.#messagesOf(author)}</span>
            <span>
              {strings.count('mod.reports', author.reports.length, {
                n: counted(author.reports.length, strings, mostReports),
              })}
            </span>
            <span>{strings.text('mod.removed', { n: author.removed })}</span>
            {author.restrictions.length > 0 && (
              <span>{strings.count('mod.restrictions', author.restrictions.length)}</span>
            )}
            {author.messages > 1 && (
              <button type="button" class="link" onClick={this.#turn}>
                {this.#all === undefined
                  ? strings.count('mod.all', author.messages, { n: messages })
                  : strings.text('mod.around')}
              </button>
            )}
          </>
        )}
      </div>
    );
  }

  /** Returns how many messages the author wrote, and where. */
  #messagesOf({ messages, onlyIn }: Answers['moderate:person']): string {
    const { context } = this.props;
    const { strings } = context;
    const n = strings.count('mod.messages', messages, { n: counted(messages, strings) });
    if (messages < 2 || onlyIn === undefined) return n;
    return strings.text('mod.allIn', { messages: n, room: roomName(onlyIn, context) });
  }

  #written({ items, state, next }: Pages<Message>): ComponentChildren {
    const { context, one } = this.props;
    const { room, seq } = subjectOf(one);
    return (
      <>
        {items.map((message) => (
          <ShownMessage
            key={message.id}
            context={context}
            said={saidIn(message)}
            kind={message.room === room && message.seq === seq ? 'target' : 'ctx'}
            room={message.room}
          />
        ))}
        {state === 'failed' && <RestFailed context={context} again={() => void this.#all?.again()} />}
        {next !== undefined && state !== 'failed' && (
          <div class="foot">
            <button type="button" class="btn" onClick={() => void this.#all?.more()}>
              {context.strings.text('msg.showMore')}
            </button>
          </div>
        )}
      </>
    );
  }

  /** Switches between the messages around the reported message and all messages of its author. */
  readonly #turn = () => {
    const { chat } = this.props.context;
    const { user } = subjectOf(this.props.one);
    if (this.#all === undefined) {
      this.#all = new Pages(
        chat,
        async (cursor) => {
          const { messages, next } = await chat.request('message:search', { from: user.id, ...cursor });
          return [messages.filter(({ room }) => !isDirect(room)), next];
        },
        () => this.#unmounted || this.forceUpdate(),
      );
      void this.#all.load();
    } else this.#all = undefined;
    this.forceUpdate();
  };

  /** Returns the messages in their order. A pending message is the last one. */
  #messages(): ComponentChildren {
    const { context, one } = this.props;
    const subject = subjectOf(one);
    const target = (
      <ShownMessage
        key="target"
        context={context}
        said={subject}
        kind={one.kind === 'held' ? 'target wait' : 'target'}
      />
    );
    if (this.#around === 'failed')
      return (
        <>
          {target}
          <RestFailed context={context} again={this.#again} />
        </>
      );
    const place = subject.message?.seq ?? Number.POSITIVE_INFINITY;
    const around = this.#around ?? [];
    const shown = (messages: readonly Message[]) =>
      messages.map((message) => (
        <ShownMessage key={message.id} context={context} said={saidIn(message)} kind="ctx" />
      ));
    return [
      shown(around.filter(({ seq }) => seq < place)),
      target,
      shown(around.filter(({ seq }) => seq > place)),
    ];
  }

  #button({ picture, label, key, kind, run }: CaseAction) {
    const { context } = this.props;
    return (
      <button
        type="button"
        class={kind === undefined ? 'btn' : `btn ${kind}`}
        key={label}
        aria-keyshortcuts={context.keys() ? key : undefined}
        onClick={run}
      >
        <Icon name={picture} />
        <span>{label}</span>
        {/* biome-ignore lint/a11y/noAriaHiddenOnFocusable: a kbd takes no focus. */}
        {context.keys() && <kbd aria-hidden="true">{key}</kbd>}
      </button>
    );
  }

  #load(): void {
    void this.#all?.load();
    const { chat } = this.props.context;
    const { user } = subjectOf(this.props.one);
    this.#read(this.#messagesAround(), (messages) => {
      this.#around = messages;
    });
    if (chat.can.people)
      this.#read(chat.request('moderate:person', { user: user.id }), (author) => {
        this.#author = author;
      });
  }

  readonly #again = () => {
    this.#around = undefined;
    this.#load();
    this.forceUpdate();
  };

  /** Shows a value when it is loaded, and scrolls to the message to decide on. */
  #read<T>(coming: Promise<T>, show: (value: T | 'failed') => void): void {
    const shown = (value: T | 'failed') => {
      if (this.#unmounted) return;
      show(value);
      this.forceUpdate(() =>
        this.#talk.current?.querySelector('.msg.target')?.scrollIntoView({ block: 'center' }),
      );
      // For the pictures of the authors.
      this.props.context.changed();
    };
    coming.then(shown, () => shown('failed'));
  }

  async #messagesAround(): Promise<readonly Message[]> {
    const { context, one } = this.props;
    const { chat } = context;
    if (one.kind === 'reported') {
      const { id } = one.reports[0];
      return (await chat.request('report:context', { id }).catch(gone)).messages;
    }
    const { room, seq } = one.held;
    const before = seq && seq + 1;
    return (await chat.request('message:history', { room, limit: BEFORE, before })).messages;
  }
}

/** Returns no messages for a report that was just closed, because it has no context. */
function gone(error: unknown): { messages: Message[] } {
  if (error instanceof RequestError && error.code === 'unknown_message') return { messages: [] };
  throw error;
}

/** Shows why a message is pending approval. */
function OnHold({ context: { strings }, held }: { context: DeskContext; held: Held }) {
  const [before, after] = strings.text('mod.because').split('{why}');
  return (
    <div class="about-case">
      <span>
        {before}
        <b>{strings.text(`mod.why.${held.why}`)}</b>
        {after}
      </span>
      <span>{strings.text(held.seq === undefined ? 'mod.onlyYou' : 'mod.onlyEdit')}</span>
    </div>
  );
}

/** A report: its author, the reason and the note. */
function SaidAbout({ context: { strings }, report }: { context: DeskContext; report: Report }) {
  const { by, reason, text, at } = report;
  return (
    <li>
      <Icon name="flag" />
      <span>
        <b>
          <bdi>{strings.name(by)}</bdi>
        </b>{' '}
        {strings.text(`report.${reason}`)}
        {text !== undefined && (
          <>
            {': '}
            <bdi>{strings.text('composer.reason', { text })}</bdi>
          </>
        )}
      </span>
      <time dateTime={new Date(at).toISOString()} title={strings.fullTime(at)}>
        {strings.time(at)}
      </time>
    </li>
  );
}
