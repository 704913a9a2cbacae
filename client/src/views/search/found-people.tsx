import { Component } from 'preact';
import type { Context } from '../context.ts';
import { Avatar } from '../people/avatar.tsx';
import { PeopleByName } from '../people/by-name.ts';
import { writeTo } from '../people/person-actions.ts';

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

  override render({ context }: Props) {
    const { users } = this.#found;
    if (users.length === 0) return null;
    return (
      <>
        <h3 class="section">{context.strings.text('details.people')}</h3>
        <ul class="results">
          {users.map((user) => (
            <li key={user.id}>
              <button type="button" class="person hit" tabIndex={-1} onClick={() => writeTo(user, context)}>
                <Avatar user={user} />
                <bdi class="name">{context.strings.name(user)}</bdi>
              </button>
            </li>
          ))}
        </ul>
      </>
    );
  }
}
