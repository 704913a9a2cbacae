import { Component } from 'preact';
import type { User } from '../../../../server/wire/events.ts';
import type { Context } from '../context.ts';
import { Avatar } from '../people/avatar.tsx';
import { refusedDirect } from '../refusal.ts';

const PAUSE_MS = 250;
const MOST = 3;
/** A single letter is the start of too many names. */
const SHORTEST = 2;

interface Props {
  readonly context: Context;
  readonly query: string;
}

/** The people whose name begins with the words of a search. A click opens the direct room with one. */
export class FoundPeople extends Component<Props> {
  #users: readonly User[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;

  override componentDidMount(): void {
    this.#look();
  }

  override componentDidUpdate(before: Props): void {
    if (before.query !== this.props.query) this.#look();
  }

  override componentWillUnmount(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  override render({ context }: Props) {
    const { chat, strings } = context;
    const users = this.#users.filter(({ id }) => id !== chat.me?.id);
    if (users.length === 0) return null;
    return (
      <>
        <h3 class="section">{strings.text('details.people')}</h3>
        <ul class="results">
          {users.map((user) => (
            <li key={user.id}>
              <button type="button" class="person hit" tabIndex={-1} onClick={() => this.#open(user)}>
                <Avatar user={user} />
                <bdi class="name">{strings.name(user)}</bdi>
              </button>
            </li>
          ))}
        </ul>
      </>
    );
  }

  #look(): void {
    clearTimeout(this.#timer);
    const { context } = this.props;
    const query = this.props.query.trim();
    const { findPeople, direct } = context.chat.can;
    if (query.length < SHORTEST || !findPeople || !direct) {
      this.#timer = undefined;
      if (this.#users.length === 0) return;
      this.#users = [];
      return this.forceUpdate();
    }
    const timer = setTimeout(() => {
      context.chat.request('user:find', { query, limit: MOST }).then(
        ({ users }) => {
          // Another query is more recent, or the search was closed.
          if (timer !== this.#timer) return;
          this.#users = users;
          this.forceUpdate();
        },
        // The search for messages shows the error.
        () => {},
      );
    }, PAUSE_MS);
    this.#timer = timer;
  }

  #open(user: User): void {
    const { chat, open, toast, strings } = this.props.context;
    chat.openDirect(user.id).then(
      (room) => open(room.id),
      (error: unknown) => toast(refusedDirect(error, user, strings), 'bad'),
    );
  }
}
