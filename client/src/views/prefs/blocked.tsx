import { Component } from 'preact';
import type { User } from '../../../../server/wire/events.ts';
import type { Follower } from '../../chat/chat-listener.ts';
import type { Context } from '../context.ts';
import { Row, Section, save } from '../controls/rows.tsx';
import { Avatar } from '../people/avatar.tsx';
import { Loading } from './loading.tsx';

/** The list of blocked users. */
export class Blocked extends Component<{ readonly context: Context }> {
  /** IDs of unblocked users until the server confirms. */
  readonly #unblocked = new Set<string>();
  readonly #list = new Loading(this.props.context, () => this.props.context.chat.request('user:blocked', {}));
  /** The event has no name for a user who was blocked on another device, so the list is loaded again. */
  readonly #follower: Follower = { ready: this.#list.load, blocked: this.#list.load };

  override componentDidMount(): void {
    this.#list.load();
    this.props.context.chat.followers.add(this.#follower);
  }

  override componentWillUnmount(): void {
    this.props.context.chat.followers.delete(this.#follower);
  }

  override render({ context }: { readonly context: Context }) {
    const { strings } = context;
    const { compare } = new Intl.Collator(strings.locale, { numeric: true });
    const users = this.#list.value?.users
      .filter(({ id }) => !this.#unblocked.has(id))
      .sort((a, b) => compare(strings.name(a), strings.name(b)));
    return (
      <Section picture="block" title={strings.text('prefs.blocked')}>
        {users === undefined && this.#list.draw()}
        {users?.length === 0 && <p class="hint">{strings.text('prefs.blocked.none')}</p>}
        {users !== undefined && users.length > 0 && (
          <>
            <ul class="sets box">{users.map((user) => this.#row(user))}</ul>
            <p class="hint">{strings.text('prefs.blockedHint')}</p>
          </>
        )}
      </Section>
    );
  }

  #row(user: User) {
    const { strings } = this.props.context;
    const name = strings.name(user);
    return (
      <Row key={user.id} title={<bdi>{name}</bdi>} before={<Avatar user={user} kind="s" />}>
        <button
          type="button"
          class="btn s"
          aria-label={strings.text('block.undo', { name })}
          onClick={() => this.#unblock(user)}
        >
          {strings.text('block.end')}
        </button>
      </Row>
    );
  }

  #unblock(user: User): void {
    const { context } = this.props;
    const show = (wanted: boolean) => {
      if (wanted) this.#unblocked.add(user.id);
      else this.#unblocked.delete(user.id);
      context.changed();
    };
    save(context, show, async () => {
      await context.blocking()?.set(user, false);
      this.#list.value = { users: this.#list.value?.users.filter(({ id }) => id !== user.id) ?? [] };
      // The user may be blocked again later.
      show(false);
    });
  }
}
