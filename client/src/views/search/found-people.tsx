import { Component } from 'preact';
import type { User } from '../../../../server/wire/events.ts';
import type { Context } from '../context.ts';
import { Avatar } from '../people/avatar.tsx';
import { PeopleByName } from '../people/by-name.ts';
import { refusedDirect } from '../refusal.ts';

const MOST = 3;

interface Props {
  readonly context: Context;
  readonly query: string;
}

/** The people whose name begins with the words of a search. A click on a person opens their direct room. */
export class FoundPeople extends Component<Props> {
  readonly #found = new PeopleByName(this.props.context.chat, MOST, () => this.forceUpdate());

  override componentDidMount(): void {
    this.#found.find(this.props.query);
  }

  override componentDidUpdate(before: Props): void {
    if (before.query !== this.props.query) this.#found.find(this.props.query);
  }

  override componentWillUnmount(): void {
    this.#found.stop();
  }

  override render({ context: { strings } }: Props) {
    const { users } = this.#found;
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

  #open(user: User): void {
    const { chat, open, toast, strings } = this.props.context;
    chat.openDirect(user.id).then(
      (room) => open(room.id),
      (error: unknown) => toast(refusedDirect(error, user, strings), 'bad'),
    );
  }
}
