import type { Card } from '../../../../server/wire/events.ts';
import type { Follower } from '../../chat/chat-listener.ts';
import type { NewContent } from '../../store/entries.ts';
import { type Context, keyOf, type Place } from '../context.ts';
import { Icon, IconButton } from '../controls/icon.tsx';

/** Pause in typing after which the site is asked, in ms. */
const PAUSE_MS = 200;

/** The cards that a user can send: suggestions of the site, the card of the page, and those attached to drafts. */
export class Cards implements Follower {
  readonly #context: Context;
  /** The cards of drafts, by room or thread. */
  readonly #drafts = new Map<string, Card>();
  /** Suggestions by typed words, while the user types. */
  readonly #found = new Map<string, readonly Card[]>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** What the page is about, and its card. It is asked for once. */
  #about: string | null = null;
  #offer: Card | undefined;

  constructor(context: Context) {
    this.#context = context;
  }

  /** When the session ends, no card may remain. */
  silent(): void {
    if (this.#context.chat.me !== undefined) return;
    this.#drafts.clear();
    this.forget();
    this.#about = null;
    this.#offer = undefined;
  }

  /** Returns the card of a draft with the function that removes it when it was sent. */
  tray(place: Place) {
    const key = keyOf(place);
    const card = this.#drafts.get(key);
    // An order of the user does not belong in a room that everyone can read.
    const mayOffer = card === undefined && place.room.summary.kind !== 'public';
    if (mayOffer) this.#askAboutPage(place);
    return {
      card,
      draw: () => (card === undefined ? mayOffer && this.#offered(place) : this.#attached(key, card)),
      take: ({ card: about }: NewContent) => {
        if (this.#drafts.get(key)?.about === about) this.#drafts.delete(key);
      },
    };
  }

  attach(place: Place, card: Card): void {
    this.#drafts.set(keyOf(place), card);
    if (card.about === this.#offer?.about) this.#offer = undefined;
    this.#context.changed();
  }

  /** Forgets the suggestions, because the site may have others at the next `/`. */
  forget(): void {
    clearTimeout(this.#timer);
    this.#found.clear();
  }

  /** Returns the known suggestions for the typed words. Requests missing ones, and then calls `look`. */
  find(room: string, query: string, look: () => void): readonly Card[] {
    clearTimeout(this.#timer);
    const known = this.#found.get(query);
    if (known === undefined)
      this.#timer = setTimeout(() => {
        this.#request(room, query).then(
          (cards) => {
            this.#found.set(query, cards);
            look();
          },
          // The next letter asks again.
          () => {},
        );
      }, PAUSE_MS);
    return known ?? [];
  }

  async #request(room: string, query: string, about = this.#context.attribute('data-about')) {
    const { chat, strings } = this.#context;
    const page = about !== null && /^[!-~]{1,200}$/.test(about) ? about : undefined;
    return (await chat.request('card:find', { room, query, about: page, lang: strings.locale })).cards;
  }

  #askAboutPage({ room }: Place): void {
    const { chat, attribute, changed } = this.#context;
    const about = attribute('data-about');
    if (about === this.#about || !chat.can.cards || !room.joined) return;
    this.#about = about;
    this.#offer = undefined;
    if (about === null) return;
    this.#request(room.id, '', about).then(
      (cards) => {
        if (about !== this.#about) return;
        this.#offer = cards.find((card) => card.about === about);
        changed();
      },
      // The user did not ask for the offer.
      () => {},
    );
  }

  #attached(key: string, { title, state }: Card) {
    const { strings, draw } = this.#context;
    return (
      <div class="context" key="card">
        <Icon name="card" size="s" />
        <div>
          <b>
            <bdi>{title}</bdi>
          </b>
          {state && ` · ${state}`}
        </div>
        <IconButton
          name="close"
          label={strings.text('card.remove')}
          press={({ currentTarget }) => {
            this.#drafts.delete(key);
            draw(currentTarget.closest('form')?.querySelector('textarea'));
          }}
        />
      </div>
    );
  }

  #offered(place: Place) {
    const { strings, draw } = this.#context;
    const offer = this.#offer;
    if (offer === undefined || place.thread !== undefined) return null;
    const back = (button: HTMLElement) => draw(button.closest('form')?.querySelector('textarea'));
    return (
      <div class="context" key="card-offer">
        <Icon name="card" size="s" />
        <div>
          <button
            type="button"
            class="link"
            onClick={({ currentTarget }) => {
              this.attach(place, offer);
              back(currentTarget);
            }}
          >
            {strings.text('card.add', { title: offer.title })}
          </button>
        </div>
        <IconButton
          name="close"
          label={strings.text('common.dismiss')}
          press={({ currentTarget }) => {
            this.#offer = undefined;
            back(currentTarget);
          }}
        />
      </div>
    );
  }
}
