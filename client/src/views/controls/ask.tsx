import { Component } from 'preact';
import type { ControlContext } from '../context.ts';
import { refusal } from '../refusal.ts';
import { FormDialog } from './form-dialog.tsx';
import { Submission } from './submission.ts';

interface Props {
  readonly context: ControlContext;
  readonly title: string;
  readonly text?: string;
  /** Label of the button that cancels. */
  readonly stay: string;
  readonly label: string;
  /** Error text if the action failed and its error code has no text. */
  readonly failed?: string;
  run(): Promise<void>;
  /** Called after the action succeeded. */
  done?(): void;
  close(): void;
}

/** Asks for confirmation of a destructive action. */
export class Ask extends Component<Props> {
  readonly #submission = new Submission(this.props.context);

  override render({ context, title, text, stay, label, close }: Props) {
    return (
      <FormDialog
        context={context}
        title={title}
        ask
        submission={this.#submission}
        label={label}
        cancel={stay}
        bad
        submit={this.#submit}
        close={close}
      >
        {text !== undefined && <p class="hint flat">{text}</p>}
      </FormDialog>
    );
  }

  readonly #submit = () => {
    const { context, failed, run, done, close } = this.props;
    const finished = () => {
      close();
      done?.();
    };
    void this.#submission.run(run, finished, (error) => refusal(error, context.strings, failed));
  };
}
