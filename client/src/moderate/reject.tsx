import { Component } from 'preact';
import { TextField } from '../views/controls/dialog.tsx';
import { FormDialog } from '../views/controls/form-dialog.tsx';
import type { DeskContext } from './desk-context.ts';

const LONGEST_REASON = 250;

interface Props {
  readonly context: DeskContext;
  readonly name: string;
  submit(reason: string): void;
  close(): void;
}

/** Why a message is not published: its author sees it. */
export class Reject extends Component<Props> {
  #reason = '';

  override render({ context, name, close }: Props) {
    const { strings, changed } = context;
    const over = [...this.#reason.trim()].length - LONGEST_REASON;
    return (
      <FormDialog
        context={context}
        title={strings.text('mod.rejectTitle')}
        typed={this.#reason !== ''}
        label={strings.text('mod.rejectSubmit')}
        bad
        submit={() => over <= 0 && this.props.submit(this.#reason.trim())}
        close={close}
      >
        <TextField
          id="reject-reason"
          label={strings.text('mute.reason', { name })}
          optional={strings.text('create.optional')}
          value={this.#reason}
          readOnly={false}
          error={over > 0 ? strings.count('composer.tooMany', over) : undefined}
          typed={(value) => {
            this.#reason = value;
            changed();
          }}
        />
      </FormDialog>
    );
  }
}
