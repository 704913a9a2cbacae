import { Component } from 'preact';
import type { Room } from '../../store/room.ts';
import type { Strings } from '../../strings/strings.ts';
import type { Context, FailedInvitation } from '../context.ts';
import { FormDialog } from '../controls/form-dialog.tsx';
import { Icon } from '../controls/icon.tsx';
import { Submission } from '../controls/submission.ts';
import { type Chip, PeopleField } from './people-field.tsx';

interface Props {
  readonly context: Context;
  readonly room: Room;
  /** Users who could not be invited when the room was created. */
  readonly failed: readonly FailedInvitation[];
  close(): void;
}

/** The dialog that invites several users at once. Users who cannot be invited stay in the field, with the reason. */
export class Invite extends Component<Props> {
  #chips: readonly Chip[];
  #people: PeopleField | undefined;
  #writing = '';
  readonly #submission = new Submission(this.props.context);

  constructor(props: Props) {
    super(props);
    const { context, failed } = props;
    this.#chips = failed.map((one) => refused(one, context.strings));
    if (failed.length > 0) this.#submission.problem = context.strings.count('invite.failed', failed.length);
  }

  override render({ context, room, close }: Props) {
    const { strings } = context;
    const fresh = this.#fresh();
    const submit = strings.text('invite.submit');
    const more = fresh.length > 1 ? strings.text('invite.count', { n: fresh.length }) : submit;
    const done = fresh.length === 0 && this.#chips.length > 0 && this.#writing === '';
    return (
      <FormDialog
        context={context}
        title={strings.text('invite.title', { room: room.summary.name })}
        typed={fresh.length > 0 || this.#writing !== ''}
        submission={this.#submission}
        label={done ? strings.text('common.done') : more}
        busy={submit}
        cancel={done ? null : undefined}
        submit={done ? close : this.#submit}
        close={close}
      >
        <PeopleField
          context={context}
          label={strings.text('invite.people')}
          chips={this.#chips}
          room={room.id}
          readOnly={this.#submission.busy}
          hint={strings.text('invite.lookup')}
          chosen={(chips) => {
            this.#chips = chips;
            context.changed();
          }}
          typed={(text) => {
            this.#writing = text;
          }}
          shown={(field) => {
            this.#people = field;
          }}
        />
        {!done && (
          <>
            <div class="or">{strings.text('invite.or')}</div>
            <p class="hint">{strings.text('link.why')}</p>
            <button
              type="button"
              class="btn wide"
              onClick={() => context.dialog({ kind: 'inviteLink', room })}
            >
              <Icon name="link" />
              {strings.text('link.make')}
            </button>
          </>
        )}
      </FormDialog>
    );
  }

  #fresh(): Chip[] {
    return this.#chips.filter(({ reason }) => reason === undefined);
  }

  readonly #submit = () => {
    const { context, room } = this.props;
    const chips = this.#fresh();
    if (this.#people?.finish() === true || chips.length === 0) return;
    const users = chips.map(({ user }) => user.id);
    void this.#submission.run(
      () => context.chat.request('room:invite', { room: room.id, users }),
      ({ failed }) => this.#invited(chips, failed),
    );
  };

  #invited(chips: readonly Chip[], failed: readonly { user: string; code: string }[]): void {
    const { context, close } = this.props;
    const { strings, toast } = context;
    const codes = new Map(failed.map(({ user, code }) => [user, code]));
    const [one, ...more] = chips.filter(({ user }) => !codes.has(user.id));
    const count = one === undefined ? 0 : more.length + 1;
    const said =
      one !== undefined && count === 1
        ? strings.text('invite.done', { name: one.user.name })
        : strings.count('invite.doneMany', count);
    if (failed.length === 0) {
      toast(said, 'good');
      return close();
    }
    const not = strings.count('invite.failed', failed.length);
    this.#submission.problem = count === 0 ? not : `${said} ${not}`;
    this.#chips = chips.flatMap(({ user }) => {
      const code = codes.get(user.id);
      return code === undefined ? [] : [refused({ user, code }, strings)];
    });
  }
}

function refused({ user, code }: FailedInvitation, strings: Strings): Chip {
  const text =
    code === 'forbidden'
      ? 'invite.forbidden'
      : code === 'unknown_user'
        ? 'error.unknown_user'
        : 'error.other';
  return { user, reason: strings.text(text) };
}
