import { asTyped, folded } from '../../../../server/text/folding.ts';
import type { Card, RoomMember, User } from '../../../../server/wire/events.ts';
import { isGuest } from '../../../../server/wire/guest.ts';
import type { Follower } from '../../chat/chat-listener.ts';
import { text } from '../../chat/form.ts';
import { foundMembers } from '../../chat/found-members.ts';
import type { Thread } from '../../chat/thread.ts';
import type { NewMention } from '../../store/entries.ts';
import type { Room } from '../../store/room.ts';
import { EVERYBODY } from '../../store/user-ids.ts';
import { cardAsked, emojiAsked, mayMentionAfter, personAsked } from '../../text/asked.ts';
import { composes, confirms } from '../../text/keys.ts';
import { mentionsIn, type PickedMention } from '../../text/mentioning.ts';
import type { Cards } from '../cards/cards.tsx';
import { siteName, sitePath } from '../cards/site.ts';
import type { Context, Place } from '../context.ts';
import { frameAround } from '../controls/frame.ts';
import { Icon } from '../controls/icon.tsx';
import type { EmojiNames } from '../emoji/find.ts';
import { used } from '../emoji/frequent.ts';
import { emojiCode } from '../emoji/open-emoji.tsx';
import { Avatar } from '../people/avatar.tsx';
import { apply } from './format-bar.tsx';
import { Picks } from './picks.ts';

const GAP = 6;
const SHOWN = 8;
/** Members per request. In larger rooms, a query finds the others by the start of a word in their name. */
const PAGE = 100;
const LABEL = 'mention-list';

/** A member, all members, an emoji, a card of the site, or a snippet of the team. */
type Option = PickedMention & {
  readonly member?: RoomMember;
  readonly emoji?: string;
  readonly card?: Card;
  /** The text of a snippet, for this asker. */
  readonly snippet?: string;
};

/**
 * The list of suggestions in the composer: users after `@`, emoji after `:`, cards of the site and snippets of the team
 * after `/`. The focus stays in the field.
 */
export class Suggest implements Follower {
  readonly #context: Context;
  readonly #root: ShadowRoot;
  readonly #cards: Cards;
  readonly #thread: () => Pick<Thread, 'room' | 'number'> | undefined;
  readonly #picks: Picks;
  #field: HTMLTextAreaElement | undefined;
  /** Position of the sign that the list belongs to. */
  #at = 0;
  #query = '';
  #options: readonly Option[] = [];
  #hot = 0;
  /** Position of the sign whose list the user closed or chose from. */
  #closedAt: number | undefined;
  /** Loaded when the first `:` is typed. */
  #emoji: EmojiNames | undefined;
  /** Members by room and query. */
  #members = new Map<string, readonly RoomMember[]>();
  /** The keys of `#members` that need no new request. */
  #asked = new Set<string>();

  /** @param thread - returns the thread that is open next to the room */
  constructor(
    context: Context,
    root: ShadowRoot,
    cards: Cards,
    thread: () => Pick<Thread, 'room' | 'number'> | undefined,
    signal: AbortSignal,
  ) {
    this.#context = context;
    this.#root = root;
    this.#cards = cards;
    this.#thread = thread;
    this.#picks = new Picks(context.chat);
    context.chat.followers.add(this.#picks);
    root.addEventListener('keydown', this.#key, { signal, capture: true });
    for (const type of ['input', 'keyup', 'pointerup', 'focusin', 'focusout'])
      root.addEventListener(type, this.#look, { signal });
  }

  /**
   * Returns the mentions in a text of picked users, and in an edit also of users that the message already mentions.
   * Undefined without mentions.
   */
  mentions(place: Place, text: string, seq?: number): NewMention[] | undefined {
    const { text: stored = '', mentions = [] } =
      (seq === undefined ? undefined : place.room.timeline.get(seq)) ?? {};
    const characters = [...stored];
    const former = mentions.map(({ user, start, length }) => ({
      user: user.id,
      label: characters.slice(start, start + length).join(''),
    }));
    const found = mentionsIn(text, [...former, ...this.#picks.in(place)]);
    return found.length === 0 ? undefined : found;
  }

  ready(): void {
    this.#members.clear();
    this.#asked.clear();
  }

  // Keeps the members until the response. Without them the list would close, and Enter would send half of a name.
  members(): void {
    this.#asked.clear();
  }

  presence(): void {
    this.#asked.clear();
  }

  /** When the session ends, no name may remain. */
  silent(): void {
    if (this.#context.chat.me !== undefined) return;
    this.ready();
    this.#options = [];
    this.#close();
  }

  draw() {
    const field = this.#field;
    if (field === undefined) return undefined;
    const { strings, chat } = this.#context;
    return (
      <div
        class="suggest"
        key="list"
        role="listbox"
        id={LABEL}
        aria-label={this.#label()}
        // Preact calls a stable ref only once, but the list and the field change their sizes.
        ref={(list) => this.#place(list)}
      >
        {this.#options.map((option, n) => {
          const { user, label, member, emoji, card, snippet } = option;
          return (
            // biome-ignore lint/a11y/useKeyWithClickEvents: the field handles the keys.
            <div
              role="option"
              class={n === this.#hot ? 'person hot' : 'person'}
              id={`${LABEL}-${n}`}
              aria-selected={n === this.#hot}
              tabIndex={-1}
              key={user}
              // Keeps the focus in the field.
              onPointerDown={(event) => event.preventDefault()}
              onClick={() => this.#take(option)}
            >
              {member !== undefined ? (
                <Avatar user={member.user} />
              ) : card !== undefined ? (
                <span class="of">
                  <Icon name="card" />
                  {this.#picture(card)}
                </span>
              ) : (
                <span class="avatar none" aria-hidden="true">
                  {emoji ?? <Icon name={snippet === undefined ? 'people' : 'list'} />}
                </span>
              )}
              <span class="name">
                <bdi>{member?.user.name ?? label}</bdi>
              </span>
              {card?.state && (
                <small>
                  <bdi>{card.state}</bdi>
                </small>
              )}
              {user === EVERYBODY && (
                <small>{strings.text('mention.room', { n: chat.current?.summary.members ?? 0 })}</small>
              )}
              {member !== undefined && member.role !== 'member' && (
                <small>{strings.text(`people.${member.role}`)}</small>
              )}
            </div>
          );
        })}
      </div>
    );
  }

  readonly #look = () => {
    const field = this.#active();
    const caret =
      field !== undefined && field.selectionStart === field.selectionEnd ? field.selectionStart : 0;
    // Names may contain spaces, so an `@` still matches after a name. A `:` after it is closer to the caret.
    const emoji = emojiAsked(field?.value ?? '', caret);
    // Mentions by guests have no effect.
    const person = this.#context.chat.isGuest ? undefined : personAsked(field?.value ?? '', caret);
    const room = this.#context.chat.current;
    const hasSnippets = room?.summary.question !== undefined && this.#context.chat.answers;
    const card =
      this.#context.chat.can.cards || hasSnippets ? cardAsked(field?.value ?? '', caret) : undefined;
    const found = emoji ?? person ?? card;
    if (field === undefined || found === undefined || room === undefined) {
      this.#closedAt = undefined;
      this.#cards.forget();
      return this.#close();
    }
    if (found.at === this.#closedAt) return this.#close();
    const same = this.#field === field && this.#at === found.at && this.#query === found.query;
    const selected = this.#options[this.#hot]?.user;
    this.#at = found.at;
    this.#query = found.query;
    this.#options =
      emoji !== undefined
        ? this.#foundEmoji()
        : person === undefined
          ? [...(hasSnippets ? this.#foundSnippets(room) : []), ...this.#foundCards(room)]
          : this.#found(room);
    // An answer of the server may move the selected user.
    const moved = this.#options.findIndex(({ user }) => user !== undefined && user === selected);
    if (!same) this.#hot = 0;
    else if (moved !== -1) this.#hot = moved;
    if (emoji !== undefined) void this.#askEmoji();
    else if (person !== undefined) void this.#ask(room, field);
    if (this.#options.length === 0) return this.#close();
    this.#open(field);
  };

  #open(field: HTMLTextAreaElement): void {
    this.#field = field;
    field.setAttribute('aria-autocomplete', 'list');
    field.setAttribute('aria-controls', LABEL);
    field.setAttribute('aria-activedescendant', `${LABEL}-${this.#hot}`);
    this.#context.changed();
  }

  #close(): void {
    if (this.#field === undefined) return;
    for (const name of ['autocomplete', 'controls', 'activedescendant'])
      this.#field.removeAttribute(`aria-${name}`);
    this.#field = undefined;
    this.#context.changed();
  }

  readonly #key = (event: Event) => {
    const field = this.#field;
    if (field === undefined || !(event instanceof KeyboardEvent) || event.target !== field) return;
    if (composes(event)) return;
    if (event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
    const { length } = this.#options;
    const option = this.#options[this.#hot];
    if (event.key === 'ArrowDown') this.#hot = (this.#hot + 1) % length;
    else if (event.key === 'ArrowUp') this.#hot = (this.#hot + length - 1) % length;
    else if (event.key === 'Escape') this.#closedAt = this.#at;
    else if ((!confirms(event) && event.key !== 'Tab') || option === undefined) return;
    // Keeps the key from the composer and from handlers that close layers.
    event.preventDefault();
    event.stopPropagation();
    if (event.key === 'Escape') this.#close();
    else if (event.key.startsWith('Arrow')) {
      this.#root.querySelector(`#${LABEL}-${this.#hot}`)?.scrollIntoView({ block: 'nearest' });
      this.#open(field);
    } else if (option !== undefined) this.#take(option);
  };

  #take(option: Option): void {
    const field = this.#field;
    const place = field && this.#placeOf(field);
    if (field === undefined || place === undefined) return;
    const { user, label, emoji, card, snippet } = option;
    const { settings } = this.#context.chat;
    if (snippet !== undefined) {
      const at = this.#at;
      this.#close();
      const end = at + snippet.length;
      return apply({ from: at, to: field.selectionStart, text: snippet, start: end, end }, field);
    }
    if (card !== undefined) {
      this.#cards.attach(place, card);
      const at = this.#at;
      this.#close();
      return apply({ from: at, to: field.selectionStart, text: '', start: at, end: at }, field);
    }
    if (emoji !== undefined) {
      used(settings, emoji);
      return this.#put(field, emoji, field.selectionStart);
    }
    const replaces = !field.value.includes(label);
    this.#put(field, label, field.selectionStart);
    this.#picks.add(place, { user, label, replaces });
  }

  /** Replaces the text from the sign up to `to`, and adds a space. */
  #put(field: HTMLTextAreaElement, words: string, to: number): void {
    const end = this.#at + words.length + 1;
    this.#closedAt = this.#at;
    this.#close();
    apply({ from: this.#at, to, text: `${words} `, start: end, end }, field);
  }

  /** Inserts a mention of a user at the caret. */
  mention({ id, name }: User): void {
    const field = this.#root.querySelector<HTMLTextAreaElement>('.composer textarea');
    const place = field === null ? undefined : this.#placeOf(field);
    if (field === null || place === undefined || field.readOnly) return;
    field.focus();
    const { value, selectionStart: from, selectionEnd: to } = field;
    const label = `@${name}`;
    this.#at = from;
    this.#put(field, mayMentionAfter(value.slice(0, from)) ? label : ` ${label}`, to);
    this.#picks.add(place, { user: id, label, replaces: !value.includes(label) });
  }

  #label(): string {
    const { strings } = this.#context;
    const [{ emoji, card, snippet } = {}] = this.#options;
    if (snippet !== undefined) return strings.text('questions.snippets');
    if (card !== undefined) return strings.text('card.from', { name: siteName(this.#context) });
    return strings.text(emoji === undefined ? 'mention.list' : 'emoji.open');
  }

  /** The picture covers the icon when it is loaded. */
  #picture({ image }: Card) {
    return image && <img src={sitePath(this.#context, image)} alt="" onError={hide} />;
  }

  #foundSnippets({ summary }: Room): Option[] {
    const { strings } = this.#context;
    const questions = this.#context.questions();
    const { snippets } = questions ?? {};
    // The next letter tries again.
    if (snippets === undefined) questions?.loadSnippets().then(this.#look, () => {});
    const { asker } = summary.question ?? {};
    const whole = asker === undefined ? '' : strings.name(asker);
    // The first word says that it is a guest.
    const called = asker !== undefined && isGuest(asker.id) ? whole.replace(/^\S+\s+/, '') : whole;
    return (snippets ?? [])
      .filter(({ name }) => folded(name).includes(folded(this.#query)))
      .slice(0, SHOWN)
      .map(({ name, text }) => ({
        user: name,
        label: `/${name}`,
        snippet: text.replaceAll('{name}', () => called),
      }));
  }

  #foundCards(room: Room): Option[] {
    if (!this.#context.chat.can.cards) return [];
    const cards = this.#cards.find(room.id, this.#query, this.#look);
    return cards.map((card) => ({ user: card.about, label: card.title, card }));
  }

  #foundEmoji(): Option[] {
    const tone = this.#context.chat.settings.get('tone', text);
    const found = this.#emoji?.named(this.#query.replaceAll('_', ' '), SHOWN, tone) ?? [];
    return found.map(({ emoji, name }) => ({ user: emoji, emoji, label: name }));
  }

  async #askEmoji(): Promise<void> {
    if (this.#emoji !== undefined) return;
    try {
      const { EmojiNames: names } = await emojiCode();
      this.#emoji = await names.in(this.#context.strings.locale);
    } catch {
      // The next letter tries again.
      return;
    }
    this.#look();
  }

  /**
   * Names with a word that starts with the query come first, then names that contain it as it was typed, then present
   * members, then the latest authors.
   */
  #found(room: Room): Option[] {
    const { chat, strings } = this.#context;
    const query = this.#query.toLowerCase();
    const [wanted, typed] = [folded(query), asTyped(query)];
    const wrote = new Map<string, number>();
    for (const { user, seq } of room.timeline.list()) wrote.set(user.id, seq);
    const { compare } = new Intl.Collator(strings.locale, { numeric: true });
    const known = new Map<string, RoomMember>();
    for (const key of ['', query])
      for (const member of this.#members.get(`${room.id} ${key}`) ?? []) known.set(member.user.id, member);
    const rank = ({ user, present }: RoomMember) => {
      const begins = ` ${nameOf(user)}`.includes(` ${wanted}`);
      const isTyped = asTyped(`${user.name}\n${user.id}`).includes(typed);
      return (begins ? 4e15 : 0) + (isTyped ? 2e15 : 0) + (present ? 1e15 : 0) + (wrote.get(user.id) ?? 0);
    };
    const people = [...known.values()]
      .filter(({ user }) => user.id !== chat.me?.id && nameOf(user).includes(wanted))
      .sort((a, b) => rank(b) - rank(a) || compare(a.user.name, b.user.name))
      .slice(0, SHOWN)
      .map((member) => ({ user: member.user.id, label: `@${member.user.name}`, member }));
    // Until the members are loaded, Enter would choose @room instead of a user.
    const isKnown = this.#members.has(`${room.id} `);
    const { may, members } = room.summary;
    const everybody = isKnown && members > 1 && may.includes('moderate') && 'room'.startsWith(wanted);
    return everybody ? [...people, { user: EVERYBODY, label: '@room' }] : people;
  }

  /** Requests the members once per room, and in large rooms also once per query. */
  async #ask(room: Room, field: HTMLTextAreaElement): Promise<void> {
    const query = this.#query.toLowerCase().trim();
    for (const wanted of query === '' || room.summary.members <= PAGE ? [''] : ['', query]) {
      const key = `${room.id} ${wanted}`;
      if (this.#asked.has(key)) continue;
      this.#asked.add(key);
      const payload = { room: room.id, limit: PAGE, query: wanted || undefined };
      try {
        const { members } = await foundMembers(this.#context.chat, payload);
        this.#members.set(key, members);
      } catch {
        // The next letter repeats the request. Looking again here would repeat it at once.
        this.#asked.delete(key);
        continue;
      }
      if (field.isConnected) this.#look();
    }
  }

  /** Returns the composer's field if it has the focus. */
  #active(): HTMLTextAreaElement | undefined {
    const { activeElement } = this.#root;
    const writing = activeElement instanceof HTMLTextAreaElement && !activeElement.readOnly;
    return writing && activeElement.closest('.composer') !== null ? activeElement : undefined;
  }

  /** Returns the room or thread that the field belongs to. */
  #placeOf(field: Element): Place | undefined {
    const thread = field.closest('.talk') === null ? undefined : this.#thread();
    const room = thread?.room ?? this.#context.chat.current;
    return room && { room, thread };
  }

  /** Places the list above the field, at its start. It grows upwards. */
  #place(list: HTMLElement | null): void {
    const field = this.#field?.closest('.field');
    if (list === null || !field) return;
    const frame = frameAround(list);
    const { top, left, right } = frame.boxOf(field);
    list.style.insetBlockEnd = `${frame.height - top + GAP}px`;
    list.style.maxBlockSize = `min(60%, ${top - 2 * GAP}px)`;
    const start = getComputedStyle(field).direction === 'rtl' ? right - list.offsetWidth : left;
    list.style.left = `${start}px`;
  }
}

const hide = ({ currentTarget }: { currentTarget: HTMLElement }) => {
  currentTarget.hidden = true;
};

/** The line feed keeps the ID apart from the name, and folding would replace it. */
const nameOf = ({ name, id }: User) => `${folded(name)}\n${folded(id)}`;
