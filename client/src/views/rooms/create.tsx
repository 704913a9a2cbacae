import { Component } from 'preact';
import { newId } from '../../chat/outbox.ts';
import type { Context } from '../context.ts';
import { FormDialog } from '../controls/form-dialog.tsx';
import { Submission } from '../controls/submission.ts';
import { type Chip, PeopleField } from '../people/people-field.tsx';
import { refusal } from '../refusal.ts';
import { RoomFields } from './room-fields.tsx';

interface Props {
  readonly context: Context;
  readonly name: string;
  close(): void;
}

/** A new room, with those who are invited to it at once. */
export class CreateRoom extends Component<Props> {
  /**
   * The same for each attempt with the same fields: what the server has made is not made twice. With others it would
   * answer with what it has made already.
   */
  #attempt: { readonly fields: string; readonly clientId: string } | undefined;
  readonly #fields: RoomFields;
  #kind: 'public' | 'private';
  #chips: readonly Chip[] = [];
  #people: PeopleField | undefined;
  #writing = '';
  readonly #submission = new Submission(this.props.context);

  constructor(props: Props) {
    super(props);
    const { chat, strings, changed } = props.context;
    this.#fields = new RoomFields(strings, changed, props.name);
    this.#kind = chat.can.createPrivate ? 'private' : 'public';
  }

  override render({ context, name, close }: Props) {
    const { strings } = context;
    const typed =
      this.#fields.name !== name || `${this.#fields.topic}${this.#writing}` !== '' || this.#chips.length > 0;
    return (
      <FormDialog
        context={context}
        title={strings.text('create.title')}
        typed={typed}
        submission={this.#submission}
        again
        label={strings.text('create.submit')}
        busy={strings.text('create.busy')}
        submit={this.#submit}
        close={close}
      >
        {this.#fields.draw(this.#submission.busy)}
        {this.#who()}
        {this.#kind === 'private' && (
          <PeopleField
            context={context}
            label={strings.text('create.invite')}
            optional={strings.text('create.optional')}
            chips={this.#chips}
            readOnly={this.#submission.busy}
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
        )}
      </FormDialog>
    );
  }

  /** Where only one kind may be made, there is nothing to choose: which one it is is said. */
  #who() {
    const { chat, strings, changed } = this.props.context;
    if (!chat.can.createPublic || !chat.can.createPrivate)
      return (
        <>
          <span class="label">{strings.text('create.who')}</span>
          <p class="hint">{strings.text(`create.${this.#kind}Hint`)}</p>
        </>
      );
    return (
      <fieldset disabled={this.#submission.busy}>
        <legend>{strings.text('create.who')}</legend>
        {(['public', 'private'] as const).map((kind) => (
          <label class="choice" key={kind}>
            <input
              type="radio"
              name="kind"
              checked={this.#kind === kind}
              onChange={() => {
                this.#kind = kind;
                changed();
              }}
            />
            <div>
              {strings.text(`create.${kind}`)}
              <span>{strings.text(`create.${kind}Hint`)}</span>
            </div>
          </label>
        ))}
      </fieldset>
    );
  }

  readonly #submit = () => {
    const { context, close } = this.props;
    const { chat, strings } = context;
    if (this.#kind === 'private' && this.#people?.finish() === true) return;
    if (!this.#fields.check()) return;
    const { name, topic } = this.#fields;
    const members = this.#kind === 'private' ? this.#chips.map(({ user }) => user.id) : [];
    const fields = {
      name,
      kind: this.#kind,
      ...(topic === '' ? {} : { topic }),
      ...(members.length === 0 ? {} : { members }),
    };
    const same = JSON.stringify(fields);
    if (this.#attempt?.fields !== same) this.#attempt = { fields: same, clientId: newId() };
    const { clientId } = this.#attempt;
    void this.#submission.run(
      () => chat.createRoom({ ...fields, clientId }),
      ({ room, failed }) => {
        close();
        context.open(room.id);
        this.#tellFailed(room.id, failed);
      },
      (error) => {
        if (error.code !== 'conflict') return refusal(error, strings, strings.text('create.failed'));
        this.#fields.fail('create.taken');
        return undefined;
      },
    );
  };

  #tellFailed(id: string, failed: readonly { user: string; code: string }[]): void {
    const { chat, dialog } = this.props.context;
    const room = chat.rooms.get(id);
    if (failed.length === 0 || room === undefined) return;
    const chips = new Map(this.#chips.map(({ user }) => [user.id, user]));
    const users = failed.map(({ user, code }) => ({
      user: chips.get(user) ?? { id: user, name: user },
      code,
    }));
    dialog({ kind: 'invite', room, failed: users });
  }
}
