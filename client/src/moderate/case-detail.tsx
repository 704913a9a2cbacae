import { Component, createRef } from 'preact';
import type { Report } from '../../../server/wire/events.ts';
import { hashOf as hashOfMessage } from '../text/page-address.ts';
import { Icon, type IconName } from '../views/controls/icon.tsx';
import { Roving } from '../views/controls/roving.ts';
import { Avatar } from '../views/people/avatar.tsx';
import type { DeskContext } from './desk-context.ts';
import { roomName, whereAndWhen } from './mod-words.ts';
import type { Case } from './queue.ts';
import { ShownMessage } from './shown-message.tsx';

/** What can be done about a message. */
export interface CaseAction {
  readonly picture: IconName;
  readonly label: string;
  readonly key: string;
  /** `danger`, `bad`: it takes something away. */
  readonly kind?: 'danger' | 'bad';
  run(): void;
}

interface Props {
  readonly context: DeskContext;
  readonly one: Case;
  /** The usual ones, and those that concern the author. */
  readonly verdicts: readonly [readonly CaseAction[], readonly CaseAction[]];
}

/** A message that is to be decided on: what is said about it, and the message itself. */
export class CaseDetail extends Component<Props> {
  readonly #talk = createRef<HTMLDivElement>();
  #roving: Roving | undefined;

  override componentDidMount(): void {
    const talk = this.#talk.current;
    if (talk === null) return;
    this.#roving = new Roving(talk, '.msg');
    this.#rove();
    this.#toTarget();
  }

  override componentDidUpdate(): void {
    this.#rove();
  }

  override render({ context, one, verdicts: [usual, onAuthor] }: Props) {
    const { chat, strings } = context;
    const [first] = one.reports;
    const { message, room } = first;
    const name = strings.name(message.user);
    const isKnown = chat.list.byId.has(room);
    return (
      <>
        <div class="bar">
          <button
            type="button"
            class="icon back"
            aria-label={strings.text('mod.back')}
            onClick={context.back}
          >
            <Icon name="back" size="flip" />
          </button>
          <h2 tabIndex={-1}>
            <Avatar user={message.user} />
            <span class="titles">
              <bdi>{name}</bdi>
              <small>{whereAndWhen(room, message.sentAt, context)}</small>
            </span>
          </h2>
          {isKnown && (
            <a
              class="icon"
              href={`${chat.server}${hashOfMessage(room, message.seq)}`}
              target="_blank"
              rel="noopener"
              aria-label={strings.text('mod.inRoom')}
            >
              <Icon name="outside" />
            </a>
          )}
        </div>
        <ul class="said" aria-label={strings.count('mod.reports', one.reports.length)}>
          {one.reports.map((report) => (
            <Said key={report.id} context={context} report={report} />
          ))}
        </ul>
        {/* biome-ignore lint/a11y/useSemanticElements: a fieldset belongs into a form. */}
        <div
          class="timeline scroll"
          role="group"
          aria-label={strings.text('timeline.label', { room: roomName(room, context) })}
          ref={this.#talk}
        >
          <div class="column">
            <ShownMessage context={context} message={message} target />
          </div>
        </div>
        <div class="verdict">
          {usual.map((verdict) => this.#button(verdict))}
          <span class="spring" />
          {onAuthor.map((verdict) => this.#button(verdict))}
        </div>
      </>
    );
  }

  #button({ picture, label, key, kind, run }: CaseAction) {
    return (
      <button
        type="button"
        class={kind === undefined ? 'btn' : `btn ${kind}`}
        key={label}
        aria-keyshortcuts={this.props.context.keys() ? key : undefined}
        onClick={run}
      >
        <Icon name={picture} />
        <span>{label}</span>
        {/* biome-ignore lint/a11y/noAriaHiddenOnFocusable: a kbd takes no focus. */}
        {this.props.context.keys() && <kbd aria-hidden="true">{key}</kbd>}
      </button>
    );
  }

  #rove(): void {
    this.#roving?.update(this.#target ?? undefined);
  }

  /** The message that is meant is in sight. */
  #toTarget(): void {
    this.#target?.scrollIntoView({ block: 'center' });
  }

  get #target(): HTMLElement | null | undefined {
    return this.#talk.current?.querySelector<HTMLElement>('.msg.target');
  }
}

/** Who has reported it, why, and with which note. */
function Said({ context: { strings }, report }: { context: DeskContext; report: Report }) {
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
