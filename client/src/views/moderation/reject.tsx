import { Component } from 'preact';
import type { ControlContext } from '../context.ts';
import { TextField } from '../controls/dialog.tsx';
import { FormDialog } from '../controls/form-dialog.tsx';
import type { Submission } from '../controls/submission.ts';

const LONGEST_REASON = 250;

interface Props {
  readonly context: ControlContext;
  readonly title: string;
  readonly name: string;
  /** Absent if the decision can be undone. */
  readonly submission?: Submission;
  submit(reason: string): void;
  close(): void;
}

/** The dialog that rejects a message. Its author sees the reason. */
export class Reject extends Component<Props> {
  #reason = '';

  override render({ context, title, name, submission, close }: Props) {
    const { strings, changed } = context;
    const over = [...this.#reason.trim()].length - LONGEST_REASON;
    return (
      <FormDialog
        context={context}
        title={title}
        typed={this.#reason !== ''}
        submission={submission}
        label={strings.text('held.reject')}
        bad
        submit={() => over <= 0 && this.props.submit(this.#reason.trim())}
        close={close}
      >
        <TextField
          id="reject-reason"
          label={strings.text('mute.reason', { name })}
          optional={strings.text('create.optional')}
          value={this.#reason}
          readOnly={submission?.busy === true}
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
