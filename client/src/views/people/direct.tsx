import { Component } from 'preact';
import type { Context } from '../context.ts';
import { Actions, Dialog } from '../controls/dialog.tsx';
import { Submission } from '../controls/submission.ts';
import { type Chip, PeopleField } from './people-field.tsx';
import { refusedDirect } from './refused-direct.ts';

interface Props {
  readonly context: Context;
  close(): void;
}

/** Chooses one person and opens the direct room with that person. */
export class NewDirect extends Component<Props> {
  #chips: readonly Chip[] = [];
  #people: PeopleField | undefined;
  #writing = '';
  readonly #submission = new Submission(this.props.context);

  override componentWillUnmount(): void {
    this.#submission.cancel();
  }

  override render({ context, close }: Props) {
    const { strings } = context;
    const open = strings.text('direct.open');
    return (
      <Dialog
        context={context}
        title={strings.text('direct.title')}
        typed={this.#writing !== ''}
        problem={this.#submission.problem}
        again={this.#submission.problem === undefined ? undefined : this.#open}
        submit={this.#open}
        close={close}
        actions={
          <Actions
            context={context}
            label={open}
            busy={this.#submission.busy ? open : undefined}
            submit={() => this.#people?.finish() !== true && this.#open()}
            close={this.#cancel}
          />
        }
      >
        <PeopleField
          context={context}
          label={strings.text('direct.to')}
          chips={this.#chips}
          single
          readOnly={this.#submission.busy}
          hint={strings.text('invite.lookup')}
          chosen={(chips) => {
            this.#chips = chips;
            this.#open();
          }}
          typed={(text) => {
            this.#writing = text;
            this.#chips = [];
          }}
          shown={(field) => {
            this.#people = field;
          }}
        />
      </Dialog>
    );
  }

  readonly #cancel = () => {
    if (!this.#submission.cancel()) this.props.close();
  };

  readonly #open = () => {
    const { context, close } = this.props;
    const [chip] = this.#chips;
    if (chip === undefined) return;
    void this.#submission.run(
      () => context.chat.openDirect(chip.user.id),
      (room) => {
        close();
        context.open(room.id);
      },
      (error) => refusedDirect(error, chip.user, context.strings),
    );
  };
}
