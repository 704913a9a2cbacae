import { isBlank } from '../../../../server/text/blank.ts';
import type { Answers, User } from '../../../../server/wire/events.ts';
import type { Follower } from '../../chat/chat-listener.ts';
import { text } from '../../chat/form.ts';
import { enterAsGuest } from '../../chat/guests.ts';
import { newId } from '../../chat/outbox.ts';
import { tabValues } from '../../chat/page-storage.ts';
import { aboutPage, askTeam, claimQuestion } from '../../chat/questions.ts';
import { Store } from '../../chat/storage.ts';
import { cleaned, codePoints } from '../../text/paste.ts';
import type { Context } from '../context.ts';
import { Problem } from '../controls/dialog.tsx';
import { Submission } from '../controls/submission.ts';
import { pageTitle } from '../page-title.ts';
import { Avatar } from '../people/avatar.tsx';
import { howLong } from './how-long.ts';

/** Key of the text that is being written. */
const WRITING = 'question';
const LONGEST_NAME = 40;
const TIMEOUT_MS = 10_000;

const byContext = new WeakMap<object, Asking>();

/** Returns the question that the user of an element is writing; undefined before `startAsking`. */
export const askingOf = (context: Context): Asking | undefined => byContext.get(context);

export function startAsking(context: Context): Asking {
  const asking = new Asking(context);
  context.chat.followers.add(asking);
  byContext.set(context, asking);
  return asking;
}

/** A question that is being written, and what its author can expect. It outlives its form. */
class Asking implements Follower {
  readonly #context: Context;
  readonly submission: Submission;
  /** For visitors before they are guests. */
  readonly #tab: Store;
  #text: string;
  /** The name of a visitor without a login. */
  name = '';
  /** What to expect: empty if visitors cannot ask. Undefined until it is known. */
  #about: Partial<Answers['question:about']> | undefined;
  #isRequested = false;
  /** The question is sent as soon as the visitor is connected as a guest. */
  #waits = false;
  #problem: string | undefined;
  /** A repeated request has the same ID, so that the question is asked once. */
  #clientId = newId();

  constructor(context: Context) {
    this.#context = context;
    this.submission = new Submission(context);
    this.#tab = new Store(tabValues, context.chat.server);
    this.#text = this.#tab.get(WRITING, text) ?? '';
    if (context.chat.connection.state.kind === 'ready') this.ready();
  }

  ready(): void {
    this.#isRequested = false;
    const writing = this.#text || this.#context.chat.store?.get(WRITING, text);
    this.#tab.delete(WRITING);
    this.text = writing ?? '';
    claimQuestion(this.#context.chat);
    if (this.#waits) this.send();
  }

  /** The question was asked in another tab. */
  added(): void {
    this.#showQuestion();
  }

  /** The question may not be among the first rooms. */
  listed(): void {
    this.#showQuestion();
  }

  over(): void {
    this.text = '';
    this.name = '';
  }

  get text(): string {
    return this.#text;
  }

  /** The browser keeps the text until the question is asked. */
  set text(now: string) {
    this.#text = now;
    const store = this.#context.chat.store ?? this.#tab;
    if (now === '') store.delete(WRITING);
    else store.set(WRITING, now);
  }

  /** Replaces an empty form by the question that the user already asked. */
  #showQuestion(): void {
    const { chat } = this.#context;
    if (chat.asks && chat.current === undefined && isBlank(this.text)) chat.shown.begin();
  }

  /** Whether this visitor without a login cannot ask. */
  get isOff(): boolean {
    this.#request();
    return this.#about !== undefined && this.#about.team === undefined;
  }

  get problem(): string | undefined {
    return this.submission.problem ?? this.#problem;
  }

  /** The members of the team, and when to expect an answer. */
  expectation() {
    this.#request();
    const { strings } = this.#context;
    const { team = [], answeredInMs, text } = this.#about ?? {};
    const words =
      text ??
      (answeredInMs === undefined
        ? undefined
        : strings.text('ask.usually', { time: howLong(answeredInMs, strings) }));
    return { team, words };
  }

  get isReady(): boolean {
    return !isBlank(this.text) && this.#excess <= 0;
  }

  /** Characters above the limit. */
  get #excess(): number {
    return codePoints(cleaned(this.text)) - this.#context.chat.limits.text;
  }

  get tooLong(): string | undefined {
    const excess = this.#excess;
    return excess > 0 ? this.#context.strings.count('composer.tooMany', excess) : undefined;
  }

  /** @param done - called when the question is stored */
  send(done?: () => void): void {
    const { chat, changed, strings } = this.#context;
    if (!this.isReady) return;
    this.#problem = undefined;
    if (chat.connection.state.kind === 'ended') {
      // The server refused the guest.
      if (this.#waits) {
        this.#waits = false;
        this.#problem = strings.text('error.other');
      } else {
        this.#waits = true;
        enterAsGuest(chat, this.name.trim());
      }
      return changed();
    }
    this.#waits = false;
    const about = aboutPage(chat.server, pageTitle(), this.#context.attribute('data-about'));
    void this.submission.run(
      () => askTeam(chat, { text: cleaned(this.text), clientId: this.#clientId, about }),
      (room) => {
        this.text = '';
        this.#clientId = newId();
        done?.();
        this.#context.open(room.id);
      },
    );
  }

  /** The server may refuse a guest, for example for the name. */
  settle(): void {
    if (this.#waits && this.#context.chat.connection.state.kind === 'ended') this.send();
  }

  /** The fields for a question. @param named - whether to ask for a name */
  fields(named: boolean) {
    const { strings, changed } = this.#context;
    const { team, words } = this.expectation();
    const busy = this.submission.busy || this.#waits;
    return (
      <>
        <Faces team={team} context={this.#context} />
        {words !== undefined && <p>{words}</p>}
        {named && (
          <input
            class="input"
            name="name"
            required
            maxLength={LONGEST_NAME}
            autocomplete="nickname"
            placeholder={strings.text('guest.name')}
            aria-label={strings.text('guest.name')}
            value={this.name}
            readOnly={busy}
            onInput={({ currentTarget }) => {
              this.name = currentTarget.value;
            }}
          />
        )}
        <textarea
          class="input"
          rows={4}
          required
          placeholder={strings.text('ask.text')}
          aria-label={strings.text('ask.text')}
          aria-invalid={this.tooLong !== undefined || undefined}
          value={this.text}
          readOnly={busy}
          onInput={({ currentTarget }) => {
            this.text = currentTarget.value;
            changed();
          }}
        />
        {this.tooLong !== undefined && <Problem id="ask-error" text={this.tooLong} />}
      </>
    );
  }

  /**
   * The form in place of a room.
   *
   * @param login - for visitors without a login, who give a name, how to log in
   */
  form(login?: { readonly label: string; open(): void } | 'none') {
    const { strings } = this.#context;
    const busy = this.submission.busy || this.#waits;
    return (
      <form
        class="asking"
        onSubmit={(event) => {
          event.preventDefault();
          this.send();
        }}
      >
        {this.fields(login !== undefined)}
        {this.problem !== undefined && (
          <div role="alert">
            <Problem id="ask-problem" text={this.problem} />
          </div>
        )}
        <button type="submit" class="btn primary" aria-disabled={busy || !this.isReady || undefined}>
          {busy && <span class="spin" aria-hidden="true" />}
          {strings.text('composer.send')}
        </button>
        {typeof login === 'object' && (
          <button type="button" class="btn" onClick={login.open}>
            {login.label}
          </button>
        )}
      </form>
    );
  }

  /** Requests what to expect, once per connection. */
  #request(): void {
    if (this.#isRequested) return;
    this.#isRequested = true;
    const { chat, changed } = this.#context;
    const coming =
      chat.connection.state.kind === 'ready' ? chat.request('question:about', {}) : this.#fetch(chat.server);
    coming.then(
      (about) => {
        this.#about = about;
        changed();
      },
      // The form works without it.
      () => {},
    );
  }

  /** For a visitor who has no connection yet. */
  async #fetch(server: string): Promise<Partial<Answers['question:about']>> {
    const answer = await fetch(new URL('team', server), {
      credentials: 'include',
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    if (!answer.ok) throw new Error(`HTTP ${answer.status}`);
    return (await answer.json()) as Partial<Answers['question:about']>;
  }
}

/** Members of the team. */
export function Faces({ team, context }: { readonly team: readonly User[]; readonly context: Context }) {
  if (team.length === 0) return null;
  return (
    <div class="team-faces">
      {team.map((user) => (
        <span key={user.id}>
          <Avatar user={user} />
          <bdi>{context.strings.name(user)}</bdi>
        </span>
      ))}
    </div>
  );
}
