import { Component, type ComponentChildren } from 'preact';
import type { Answers, Can } from '../../../../server/wire/events.ts';
import { newId } from '../../chat/outbox.ts';
import type { RequestOf } from '../../connection/connection.ts';
import type { ControlContext } from '../context.ts';
import { FormDialog } from '../controls/form-dialog.tsx';
import { Submission } from '../controls/submission.ts';
import { refusal } from '../refusal.ts';
import { RoomFields } from './room-fields.tsx';

/** The users to invite to a new private room. */
interface Invited {
  /** Whether a user is chosen or the field contains text. */
  readonly typed: boolean;
  draw(readOnly: boolean): ComponentChildren;
  /** Returns the IDs; undefined while the text names no user. */
  finish(): readonly string[] | undefined;
}

interface Props {
  readonly context: ControlContext;
  /** The kinds of rooms that the user may create. */
  readonly can: Pick<Can, 'createPublic' | 'createPrivate'>;
  readonly name: string;
  readonly invited?: Invited;
  create(payload: RequestOf<'room:create'>): Promise<Answers['room:create']>;
  done(answer: Answers['room:create']): void;
  close(): void;
}

/** The dialog that creates a room. */
export class NewRoom extends Component<Props> {
  /**
   * Retries with the same fields reuse the `clientId`, so that the server does not create the room twice. Changed
   * fields need a new one, because the server would return the existing room.
   */
  #attempt: { readonly fields: string; readonly clientId: string } | undefined;
  readonly #fields: RoomFields;
  #kind: 'public' | 'private';
  readonly #submission = new Submission(this.props.context);

  constructor(props: Props) {
    super(props);
    const { strings, changed } = props.context;
    this.#fields = new RoomFields(strings, changed, props.name);
    this.#kind = props.can.createPrivate ? 'private' : 'public';
  }

  override render({ context, name, invited, close }: Props) {
    const { strings } = context;
    const typed = this.#fields.name !== name || this.#fields.topic !== '' || invited?.typed === true;
    const { busy } = this.#submission;
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
        {this.#fields.draw(busy)}
        {this.#who()}
        {this.#kind === 'private' && invited?.draw(busy)}
      </FormDialog>
    );
  }

  /** If the user may create only one kind of room, names it instead of offering a choice. */
  #who() {
    const { context, can } = this.props;
    const { strings, changed } = context;
    if (!can.createPublic || !can.createPrivate)
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
    const { context, invited, create, done, close } = this.props;
    const { strings } = context;
    const members = this.#kind === 'private' && invited ? invited.finish() : [];
    if (members === undefined || !this.#fields.check()) return;
    const { name, topic } = this.#fields;
    const fields = {
      name,
      kind: this.#kind,
      topic: topic || undefined,
      members: members.length === 0 ? undefined : [...members],
    };
    const same = JSON.stringify(fields);
    if (this.#attempt?.fields !== same) this.#attempt = { fields: same, clientId: newId() };
    const { clientId } = this.#attempt;
    void this.#submission.run(
      () => create({ ...fields, clientId }),
      (answer) => {
        close();
        done(answer);
      },
      (error) => {
        if (error.code !== 'conflict') return refusal(error, strings, strings.text('create.failed'));
        this.#fields.fail('create.taken');
        return undefined;
      },
    );
  };
}
