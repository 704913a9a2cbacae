import { Component } from 'preact';
import type { Context } from '../context.ts';
import { FormDialog } from '../controls/form-dialog.tsx';
import { Submission } from '../controls/submission.ts';
import { refusedDirect } from '../refusal.ts';
import { type Chip, PeopleField } from './people-field.tsx';

interface Props {
  readonly context: Context;
  close(): void;
}

/** The dialog that opens a direct room with one user. */
export class NewDirect extends Component<Props> {
  #chips: readonly Chip[] = [];
  #people: PeopleField | undefined;
  #writing = '';
  readonly #submission = new Submission(this.props.context);

  override render({ context, close }: Props) {
    const { strings } = context;
    return (
      <FormDialog
        context={context}
        title={strings.text('direct.title')}
        typed={this.#writing !== ''}
        submission={this.#submission}
        again
        label={strings.text('direct.open')}
        submit={() => this.#people?.finish() !== true && this.#open()}
        close={close}
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
      </FormDialog>
    );
  }

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
