import { Component, type ComponentChildren } from 'preact';
import type { Answers, Can } from '../../../../server/wire/events.ts';
import { newId } from '../../chat/outbox.ts';
import type { RequestOf } from '../../connection/connection.ts';
import type { ControlContext } from '../context.ts';
import { FormDialog } from '../controls/form-dialog.tsx';
import { Submission } from '../controls/submission.ts';
import { refusal } from '../refusal.ts';
import { RoomFields } from './room-fields.tsx';

/** People who are invited to a private room when it is made. */
interface Invited {
  /** Somebody is chosen, or being written. */
  readonly typed: boolean;
  draw(readOnly: boolean): ComponentChildren;
  /** Their ids; undefined while what is written is nobody. */
  finish(): readonly string[] | undefined;
}

interface Props {
  readonly context: ControlContext;
  /** The kinds of rooms that this user may make. */
  readonly can: Pick<Can, 'createPublic' | 'createPrivate'>;
  readonly name: string;
  readonly invited?: Invited;
  create(payload: RequestOf<'room:create'>): Promise<Answers['room:create']>;
  done(answer: Answers['room:create']): void;
  close(): void;
}

/** Asks for what a new room is, and makes it. */
export class NewRoom extends Component<Props> {
  /**
   * The same for each attempt with the same fields: what the server has made is not made twice. With others it would
   * answer with what it has made already.
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

  /** Where only one kind may be made, there is nothing to choose: which one it is is said. */
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
      ...(topic === '' ? {} : { topic }),
      ...(members.length === 0 ? {} : { members: [...members] }),
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
