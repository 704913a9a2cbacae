import { Component } from 'preact';
import type { Can, Card } from '../../../../server/wire/events.ts';
import type { Chat } from '../../chat/chat.ts';
import type { Follower } from '../../chat/chat-listener.ts';
import { newId } from '../../chat/outbox.ts';
import type { Entry } from '../../store/entries.ts';
import type { Context } from '../context.ts';
import { Icon } from '../controls/icon.tsx';
import { refusal } from '../refusal.ts';
import { siteName, sitePath } from './site.ts';

/** A card that is shown again after this time is requested again, in ms. */
const FRESH_MS = 15_000;
/** A card that changes often is requested again at most once in this time, in ms. */
const CHANGED_MS = 2000;
/** All readers of a room get a change at once. They spread their requests over this time for each member, in ms. */
const SPREAD_MS = 20;

/** What a card needs. The moderators' page also provides it. */
export interface CardContext extends Pick<Context, 'strings' | 'attribute'> {
  readonly chat: Pick<Chat, 'me' | 'followers' | 'request' | 'site'> & {
    readonly can: Pick<Can, 'cards'>;
    readonly current?: Chat['current'];
  };
  toast(text: string, kind: 'bad'): void;
}

interface Props {
  readonly context: CardContext;
  readonly room: string;
  /** The reference of the card. */
  readonly about: string;
  /** The message in the room, or the ID of a held message. Without both, only the reference is shown. */
  readonly seq?: number | undefined;
  readonly held?: string | undefined;
}

/** The last cards of each user, so that a room does not jump when it is opened again. Null if the site answered without a card. */
const lastCards = new WeakMap<object, Map<string, Card | null>>();

/** The card of a message. It is requested when it is shown, because the site may have changed it. */
export class SiteCard extends Component<Props> {
  #card: Card | null | undefined;
  #failed = false;
  #askedAt = Number.NEGATIVE_INFINITY;
  #number = 0;
  /** The button that was clicked. A retry has the same ID, so that the button runs once. */
  #click: { readonly button: string; readonly clientId: string } | undefined;
  #busy: string | undefined;
  #element: HTMLElement | null = null;
  #visible = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  readonly #follower: Follower = {
    card: ({ room, card }) => {
      const { props } = this;
      // The answer to an own click replaces the card.
      if (props.room === room && props.about === card && this.#busy === undefined) this.#changed();
    },
  };
  readonly #seen = new IntersectionObserver((entries) => {
    this.#visible = entries.at(-1)?.isIntersecting === true;
    this.#look();
  });

  override componentDidMount(): void {
    document.addEventListener('visibilitychange', this.#look);
    this.props.context.chat.followers.add(this.#follower);
  }

  override componentWillUnmount(): void {
    document.removeEventListener('visibilitychange', this.#look);
    this.props.context.chat.followers.delete(this.#follower);
    clearTimeout(this.#timer);
    this.#seen.disconnect();
  }

  readonly #shown = (element: HTMLElement | null) => {
    if (element === this.#element) return;
    this.#seen.disconnect();
    this.#element = element;
    if (element !== null) this.#seen.observe(element);
  };

  readonly #look = () => {
    const isDue = performance.now() - this.#askedAt > FRESH_MS;
    // A failed request is repeated only by the user.
    if (this.#visible && document.visibilityState === 'visible' && isDue && !this.#failed) void this.#ask();
  };

  #changed(): void {
    if (this.#timer !== undefined) return;
    const members = this.props.context.chat.current?.summary.members ?? 0;
    const rest = Math.max(0, this.#askedAt + CHANGED_MS - performance.now());
    this.#timer = setTimeout(
      () => {
        this.#timer = undefined;
        this.#askedAt = Number.NEGATIVE_INFINITY;
        this.#failed = false;
        this.#look();
      },
      rest + Math.random() * members * SPREAD_MS,
    );
  }

  get #last(): Map<string, Card | null> {
    const { chat } = this.props.context;
    const known = lastCards.get(chat) ?? new Map<string, Card | null>();
    lastCards.set(chat, known);
    return known;
  }

  get #key(): string {
    const { context, room, seq, held, about } = this.props;
    return `${context.chat.me?.id} ${room} ${seq ?? held} ${about}`;
  }

  #put(card: Card | undefined): void {
    this.#card = card ?? null;
    this.#last.set(this.#key, this.#card);
    this.#failed = false;
    this.forceUpdate();
  }

  async #ask(): Promise<void> {
    const { context, room, seq, held } = this.props;
    const { chat, strings } = context;
    if (!chat.can.cards || (seq ?? held) === undefined) return;
    const number = ++this.#number;
    this.#askedAt = performance.now();
    try {
      const { card } = await chat.request('card:get', { room, seq, held, lang: strings.locale });
      // The answer to a later click is newer.
      if (number === this.#number) this.#put(card);
    } catch {
      if (number !== this.#number) return;
      // The last card may be out of date.
      this.#failed = true;
      this.forceUpdate();
    }
  }

  async #press(button: string): Promise<void> {
    const { context, room, seq } = this.props;
    const { chat, strings, toast } = context;
    if (this.#busy !== undefined || seq === undefined) return;
    if (this.#click?.button !== button) this.#click = { button, clientId: newId() };
    this.#busy = button;
    this.#number++;
    this.forceUpdate();
    try {
      const { card } = await chat.request('card:press', { room, seq, ...this.#click, lang: strings.locale });
      this.#askedAt = performance.now();
      this.#click = undefined;
      this.#put(card);
    } catch (error) {
      toast(refusal(error, strings, strings.text('card.failed')), 'bad');
    } finally {
      this.#busy = undefined;
      this.forceUpdate();
    }
  }

  override render({ context, about, seq, held }: Props) {
    const { chat, strings } = context;
    // Whoever decides about a held message must see what it has, even if the site does not show them the card.
    const reference = seq === undefined && <bdi>{about}</bdi>;
    if ((seq ?? held) === undefined)
      return (
        <div class="site-card shut">
          <Icon name="card" size="s" /> {reference}
        </div>
      );
    const card = this.#card === undefined ? this.#last.get(this.#key) : this.#card;
    if (this.#failed && !card)
      return (
        <div class="site-card shut" ref={this.#shown}>
          <Icon name="alert" size="s" /> {reference} {strings.text('card.failed')}{' '}
          <button
            type="button"
            class="link"
            tabIndex={-1}
            onClick={() => {
              this.#failed = false;
              this.forceUpdate();
              void this.#ask();
            }}
          >
            {strings.text('common.again')}
          </button>
        </div>
      );
    if (card === null || !chat.can.cards)
      return (
        <div class="site-card shut" ref={this.#shown}>
          <Icon name="card" size="s" /> {reference} {strings.text('card.none')}
        </div>
      );
    if (card === undefined)
      return (
        <div class="site-card" aria-hidden="true" ref={this.#shown}>
          <div class="bone line" />
          <div class="bone line" />
          <div class="bone line" />
        </div>
      );
    const { title, text, state, image, url } = card;
    const buttons = (seq !== undefined && card.buttons) || [];
    const from = strings.text('card.from', { name: siteName(context) });
    return (
      // biome-ignore lint/a11y/useSemanticElements: it has no form fields.
      <div class="site-card" role="group" aria-label={`${from}: ${title}`} ref={this.#shown}>
        <small>
          <Icon name="card" size="s" /> <bdi>{from}</bdi>
        </small>
        <div class="of">
          <div>
            {url === undefined ? (
              <b>{title}</b>
            ) : (
              <a href={sitePath(context, url)} target="_blank" rel="noopener" tabIndex={-1}>
                {title}
              </a>
            )}
            {text !== undefined && <p>{text}</p>}
            {/* Screen readers read a new state after a click. */}
            <p class="is" role="status">
              {state && <bdi>{state}</bdi>}
            </p>
          </div>
          {image !== undefined && (
            <img
              loading="lazy"
              src={sitePath(context, image)}
              alt=""
              key={image}
              onError={({ currentTarget }) => currentTarget.remove()}
            />
          )}
        </div>
        {buttons.length > 0 && (
          <div class="acts">
            {buttons.map(({ id, label }) => (
              <button
                type="button"
                class="btn"
                key={id}
                tabIndex={-1}
                aria-disabled={this.#busy !== undefined || undefined}
                aria-busy={this.#busy === id || undefined}
                onClick={() => void this.#press(id)}
              >
                {this.#busy === id && <span class="spin" aria-hidden="true" />}
                <bdi>{label}</bdi>
              </button>
            ))}
          </div>
        )}
      </div>
    );
  }
}

/** The card of a message in the timeline. */
export function siteCard({ message, held, unsent }: Entry, context: Context) {
  const { room, card } = message ?? held ?? unsent ?? {};
  if (room === undefined || card === undefined) return null;
  const id = held?.id ?? unsent?.held;
  // A queued message gets its card when the server has it.
  const key = String(message?.seq ?? id);
  return <SiteCard key={key} context={context} room={room} about={card} seq={message?.seq} held={id} />;
}
