import { visibleLine } from '../../../server/text/blank.ts';
import type {
  Answers,
  EventPayload,
  Note,
  Question,
  QuestionAbout,
  User,
} from '../../../server/wire/events.ts';
import type { RequestOf } from '../connection/connection.ts';
import { RequestError } from '../connection/connection-state.ts';
import type { Room } from '../store/room.ts';
import type { Chat } from './chat.ts';
import type { Follower } from './chat-listener.ts';

export type WhichQuestions = RequestOf<'question:list'>['which'];
type Snippets = Answers['question:snippets']['snippets'];

/** A busy team gets many changes at once. The list is requested again at most once in this time, in ms. */
const PAUSE_MS = 500;
/** The room is removed within this time after another member of the team took the question. */
const TAKEN_MS = 2000;
/** Longer names and values in the page's address may be secrets, such as a session ID or a key for a new password. */
const LONGEST_VALUE = 19;
/** Names of short secrets, such as a code that was sent by SMS. */
const SECRET_NAME = /(?:auth|code|hash|key|nonce|otp|pass|password|pin|pwd|secret|sid|sig|signature|token)$/i;
/** A part of a path that is no word, such as the key in a link for a new password. */
const SECRET = /(?=[A-Za-z]*\d)[A-Za-z0-9]{20}|(?=[\w-]*\d)(?=[\w-]*[A-Z])(?=[\w-]*[a-z])[\w-]{20}/;

/** Asks the team, and lists the question. A repeated `clientId` asks once. */
export async function askTeam({ connection, list }: Chat, payload: RequestOf<'question:ask'>): Promise<Room> {
  const { room } = await connection.request('question:ask', payload);
  return list.put(room);
}

/** After a login, takes along what the user asked as a guest. */
export function claimQuestion({ pass, isGuest, can, tasks, connection, list, shown, current }: Chat): void {
  const guest = isGuest ? undefined : pass.secret;
  if (guest === undefined) return;
  // Another user of the device may log in later.
  if (can.ask !== true) return pass.forget();
  void tasks.once(
    'claim',
    async () => {
      const { room } = await connection.request('question:claim', { guest });
      pass.forget();
      if (room === undefined) return;
      list.put(room);
      if (current === undefined) shown.begin();
    },
    () => pass.forget(),
  );
}

/**
 * Returns what the page is about, for the team.
 *
 * @param pageTitle - without the number of unread messages
 * @param card - the reference of a card of the site
 */
export function aboutPage(server: string, pageTitle: string, card: string | null): QuestionAbout | undefined {
  // The team needs no address of the chat's own page.
  if (location.href.startsWith(server)) return undefined;
  const query = new URLSearchParams(location.search);
  for (const [name, value] of [...query])
    if (Math.max(name.length, value.length) > LONGEST_VALUE || SECRET_NAME.test(name)) query.delete(name);
  const parts = location.pathname.split('/');
  const secret = parts.findIndex((part) => SECRET.test(part));
  const path = secret === -1 ? location.pathname : `${parts.slice(0, secret).join('/')}/`;
  const page = path + (query.size > 0 ? `?${query}` : '');
  if (page.length > 1000 || !/^\/(?![/\\])[!-~]*$/.test(page)) return undefined;
  const title = visibleLine(pageTitle.replace(/\s+/gu, ' ').trim(), 200);
  return {
    page,
    ...(title !== '' && { title }),
    ...(card !== null && /^[!-~]{1,200}$/.test(card) && { card }),
  };
}

/** What the team sees: a list of questions, and in each question its notes. Other users have none. */
export class Questions implements Follower {
  readonly #chat: Chat;
  readonly #changed: () => void;
  /** The questions in the list. */
  which: WhichQuestions = 'all';
  /** Undefined until the list is loaded. */
  list: readonly Question[] | undefined;
  counts: Answers['question:list']['counts'] | undefined;
  /** The members of the team. */
  team: readonly User[] = [];
  snippets: Snippets | undefined;
  /** The cursor of the next page. */
  #next: string | undefined;
  /** What is known of questions, by room. */
  readonly #known = new Map<string, Question>();
  readonly #notes = new Map<string, readonly Note[]>();
  #taken: { readonly room: string; readonly at: number } | undefined;
  /** The list is in sight. Otherwise it is not loaded. */
  #isWanted = false;
  #isOutdated = false;
  #pause: ReturnType<typeof setTimeout> | undefined;

  constructor(chat: Chat, changed: () => void) {
    this.#chat = chat;
    this.#changed = changed;
    for (const room of chat.rooms.values()) if (room.joined) this.joined(room);
  }

  /** What is known of a question. */
  of(room: Room): Question | undefined {
    return this.#known.get(room.id);
  }

  /** The notes in a question. None for an asker who was in the team before. */
  notes(room: Room): readonly Note[] {
    return (this.#chat.answers && this.#notes.get(room.id)) || [];
  }

  /** Whether another member of the team has just got it. The others then leave the room. */
  isJustTaken({ id }: Room): boolean {
    return this.#taken?.room === id && performance.now() - this.#taken.at < TAKEN_MS;
  }

  // Events

  ready(): void {
    this.#known.clear();
    if (!this.#chat.answers) return;
    // A dialog may show them.
    if (this.snippets !== undefined)
      void this.#chat.tasks.once('snippets', async () => void (await this.#requestSnippets()));
    if (this.#isWanted) this.#load();
  }

  silent(room?: string): void {
    if (room !== undefined || this.#chat.me !== undefined) return;
    clearTimeout(this.#pause);
    // The list is still in sight if the same user is admitted again.
    this.list = undefined;
    this.counts = undefined;
    this.team = [];
    this.snippets = undefined;
    this.#known.clear();
    this.#notes.clear();
  }

  joined(room: Room): void {
    if (room.summary.question === undefined || !this.#chat.answers) return;
    void this.#chat.tasks.once(
      `question ${room.id}`,
      async () => void (await this.open(room.id)),
      () => {},
    );
  }

  question(question: Question): void {
    const { by, room } = question;
    if (by !== undefined && by.id !== this.#known.get(room)?.by?.id && by.id !== this.#chat.me?.id)
      this.#taken = { room, at: performance.now() };
    this.#learn(question);
    if (this.#isWanted) this.#load();
  }

  noted({ room, id, note }: EventPayload<'question:noted'>): void {
    const others = (this.#notes.get(room) ?? []).filter((known) => known.id !== id);
    this.#notes.set(room, note === undefined ? others : [...others, note]);
    this.#changed();
  }

  // Actions

  /** Shows a list, which then follows the changes. */
  show(which = this.which): void {
    if (which !== this.which) this.list = undefined;
    this.which = which;
    this.#isWanted = true;
    this.#load(0);
    this.#changed();
  }

  hide(): void {
    this.#isWanted = false;
  }

  get hasMore(): boolean {
    return this.#next !== undefined;
  }

  /** Loads the next page. */
  more(): void {
    const { which } = this;
    void this.#chat.tasks.once('more questions', async (current) => {
      const answer = await this.#chat.request('question:list', { which, cursor: this.#next });
      if (current() && which === this.which) this.#list([...(this.list ?? []), ...answer.questions], answer);
    });
  }

  /** Becomes a member of a question, and loads what only the team sees. */
  async open(id: string): Promise<Room> {
    const { room, question, notes, team } = await this.#chat.request('question:open', { question: id });
    this.team = team;
    this.#notes.set(id, notes);
    this.#learn(question);
    return this.#chat.list.put(room);
  }

  /** @throws RequestError `conflict` if another member of the team has it, which then is known */
  async take({ id }: Pick<Room, 'id'>): Promise<void> {
    try {
      this.#learn((await this.#chat.request('question:take', { question: id })).question);
    } catch (error) {
      if (error instanceof RequestError && error.question !== undefined) this.#learn(error.question);
      throw error;
    }
  }

  async hand({ id }: Pick<Room, 'id'>, to: string): Promise<void> {
    this.#learn((await this.#chat.request('question:hand', { question: id, to })).question);
  }

  async close({ id }: Pick<Room, 'id'>): Promise<void> {
    this.#learn((await this.#chat.request('question:close', { question: id })).question);
  }

  /** @param clientId - a repeated one adds one note */
  async note({ id }: Pick<Room, 'id'>, text: string, clientId: string): Promise<void> {
    const { note } = await this.#chat.request('question:note', { question: id, text, clientId });
    this.noted({ room: id, id: note.id, note });
  }

  async unnote({ room, id }: Note): Promise<void> {
    await this.#chat.request('question:unnote', { question: room, id });
    this.noted({ room, id });
  }

  async loadSnippets(): Promise<Snippets> {
    return this.snippets ?? this.#requestSnippets();
  }

  async #requestSnippets(): Promise<Snippets> {
    const { snippets } = await this.#chat.request('question:snippets', {});
    this.snippets = snippets;
    this.#changed();
    return snippets;
  }

  /** Stores a snippet. An empty text deletes it. */
  async setSnippet(name: string, text: string): Promise<void> {
    this.snippets = (await this.#chat.request('question:snippet', { name, text })).snippets;
    this.#changed();
  }

  #learn(question: Question): void {
    this.#known.set(question.room, question);
    this.list = this.list?.map((known) => (known.room === question.room ? question : known));
    this.#changed();
  }

  #load(pause = PAUSE_MS): void {
    this.#isOutdated = true;
    clearTimeout(this.#pause);
    this.#pause = setTimeout(() => void this.#request(), pause);
  }

  async #request(): Promise<void> {
    await this.#chat.tasks.once('questions', async (current) => {
      while (this.#isOutdated) {
        this.#isOutdated = false;
        const { which } = this;
        const questions: Question[] = [];
        let answer: Answers['question:list'] | undefined;
        // As many as were shown, so that the list does not become shorter.
        do {
          answer = await this.#chat.request('question:list', { which, cursor: answer?.next });
          if (!current()) return;
          questions.push(...answer.questions);
        } while (answer.next !== undefined && questions.length < (this.list?.length ?? 0));
        if (which === this.which) this.#list(questions, answer);
      }
    });
  }

  #list(questions: readonly Question[], { counts, next }: Answers['question:list']): void {
    // A question that was answered comes again at a later place.
    this.list = [...new Map(questions.map((question) => [question.room, question])).values()];
    for (const question of this.list) this.#known.set(question.room, question);
    this.counts = counts;
    this.#next = next;
    this.#changed();
  }
}
