import { Component } from 'preact';
import type { Context } from '../context.ts';
import { Actions, Dialog } from './dialog.tsx';
import { type Chip, PeopleField } from './people-field.tsx';
import { refusal } from './refusal.ts';

interface Props {
  readonly context: Context;
  close(): void;
}

/** A direct message to one person: who is chosen is written to. */
export class NewDirect extends Component<Props> {
  #chips: readonly Chip[] = [];
  #people: PeopleField | undefined;
  #writing = '';
  #busy = false;
  #problem: string | undefined;
  #closed = false;

  override componentWillUnmount(): void {
    this.#closed = true;
  }

  override render({ context, close }: Props) {
    const { strings } = context;
    const open = strings.text('direct.open');
    return (
      <Dialog
        context={context}
        title={strings.text('direct.title')}
        typed={this.#writing !== ''}
        problem={this.#problem}
        again={this.#problem === undefined ? undefined : this.#open}
        submit={this.#open}
        close={close}
        actions={
          <Actions
            context={context}
            label={open}
            busy={this.#busy ? open : undefined}
            submit={() => this.#people?.finish() !== true && void this.#open()}
            close={this.#cancel}
          />
        }
      >
        <PeopleField
          context={context}
          label={strings.text('direct.to')}
          chips={this.#chips}
          single
          readOnly={this.#busy}
          hint={strings.text('invite.lookup')}
          chosen={(chips) => {
            this.#chips = chips;
            void this.#open();
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
    if (!this.#busy) return this.props.close();
    this.#busy = false;
    this.props.context.changed();
  };

  readonly #open = async () => {
    const { context, close } = this.props;
    const [chip] = this.#chips;
    if (this.#busy || chip === undefined) return;
    this.#busy = true;
    this.#problem = undefined;
    context.changed();
    try {
      const room = await context.chat.openDirect(chip.user.id);
      if (this.#closed || !this.#busy) return;
      close();
      context.open(room.id);
    } catch (error) {
      this.#problem = refusal(error, context.strings);
      this.#busy = false;
      context.changed();
    }
  };
}
