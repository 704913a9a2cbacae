import { Component } from 'preact';
import type { RestrictedUser } from '../../chat/room-restricted.ts';
import type { Room } from '../../store/room.ts';
import type { ControlContext } from '../context.ts';
import { Dialog } from '../controls/dialog.tsx';
import { Submission } from '../controls/submission.ts';
import { restrictedBy } from './restriction-words.ts';

interface Props {
  readonly context: ControlContext;
  readonly room: Room;
  close(): void;
}

/**
 * The dialog with the users who are muted in a room or banned from it, until when and why. Each restriction can be
 * lifted.
 */
export class Restricted extends Component<Props> {
  #users: readonly RestrictedUser[] | undefined;
  /** Cursor of the next page. */
  #next: string | undefined;
  readonly #submission = new Submission(this.props.context);

  override componentDidMount(): void {
    this.#load();
  }

  override componentWillUnmount(): void {
    this.#submission.cancel();
  }

  override render({ context, close }: Props) {
    const { strings } = context;
    const users = this.#users;
    return (
      <Dialog
        context={context}
        title={strings.text('restricted.title')}
        problem={this.#submission.problem}
        again={users === undefined && this.#submission.problem ? () => this.#load() : undefined}
        submit={close}
        close={close}
        actions={
          <button type="button" class="btn" onClick={close}>
            {strings.text('common.close')}
          </button>
        }
      >
        {users?.length === 0 && <p class="hint flat">{strings.text('restricted.none')}</p>}
        <ul class="reports">{users?.map((one) => this.#one(one))}</ul>
        {this.#next !== undefined && (
          <button type="button" class="btn" onClick={() => this.#load()}>
            {strings.text('msg.showMore')}
          </button>
        )}
      </Dialog>
    );
  }

  #one(one: RestrictedUser) {
    const { strings } = this.props.context;
    const { user, kind, reason } = one;
    return (
      <li class="report" key={`${kind} ${user.id}`}>
        <small>
          <b>
            <bdi>{user.name}</bdi>
          </b>
          <span>{restrictedBy(one, strings)}</span>
        </small>
        {reason !== undefined && <p dir="auto">{reason}</p>}
        <div class="acts">
          <button type="button" class="btn" onClick={() => this.#lift(one)}>
            {strings.text(kind === 'muted' ? 'mute.end' : 'restricted.unban')}
          </button>
        </div>
      </li>
    );
  }

  #load(): void {
    const { context, room } = this.props;
    void this.#submission.run(
      () => context.chat.request('room:restricted', { room: room.id, cursor: this.#next }),
      ({ users, next }) => {
        this.#users = [...(this.#users ?? []), ...users];
        this.#next = next;
      },
    );
  }

  #lift(one: RestrictedUser): void {
    const { context, room } = this.props;
    const { kind, user } = one;
    void this.#submission.run(
      () =>
        context.chat.request(kind === 'muted' ? 'room:mute' : 'room:ban', {
          room: room.id,
          user: user.id,
          seconds: 0,
        }),
      () => {
        this.#users = this.#users?.filter((other) => other !== one);
      },
    );
  }
}
