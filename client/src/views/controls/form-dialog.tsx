import { Component, type ComponentChildren } from 'preact';
import type { ControlContext } from '../context.ts';
import { Dialog } from './dialog.tsx';
import type { Submission } from './submission.ts';

interface Props {
  readonly context: ControlContext;
  readonly title: string;
  /** A confirmation. It has no fields, so the focus starts on the button that cancels. */
  readonly ask?: boolean;
  /** Whether it is a sheet at the bottom of a phone, instead of covering the phone. */
  readonly low?: boolean;
  /** The user typed something, so Esc and a click outside must not close the dialog. */
  readonly typed?: boolean;
  /** The request of the dialog, if it makes one. */
  readonly submission?: Submission;
  /** Whether the error message has a button to retry. */
  readonly again?: boolean;
  readonly label: string;
  /** Label of the submit button while the request is in flight. */
  readonly busy?: string;
  /** Null if there is nothing left to cancel. */
  readonly cancel?: string | null | undefined;
  /** Whether the form is complete. */
  readonly ready?: boolean;
  /** Whether the action is destructive. */
  readonly bad?: boolean;
  readonly children: ComponentChildren;
  submit(): void;
  close(): void;
}

/** A dialog that makes one request, with buttons to cancel and submit. */
export class FormDialog extends Component<Props> {
  override componentWillUnmount(): void {
    this.props.submission?.cancel();
  }

  override render({
    context,
    title,
    ask = false,
    low = false,
    typed = false,
    submission,
    children,
    ...props
  }: Props) {
    const { label, busy = label, cancel, bad = false, again = false, ready = true, submit, close } = props;
    const problem = submission?.problem;
    const waits = submission?.busy === true;
    return (
      <Dialog
        context={context}
        title={title}
        ask={ask}
        low={low}
        typed={typed}
        problem={problem}
        again={again && problem !== undefined ? submit : undefined}
        submit={submit}
        close={close}
        actions={
          <>
            {cancel !== null && (
              <button type="button" class="btn" onClick={this.#cancel}>
                {cancel ?? context.strings.text('common.cancel')}
              </button>
            )}
            <button
              type="button"
              class={bad ? 'btn danger' : 'btn primary'}
              aria-disabled={waits || !ready || undefined}
              onClick={submit}
            >
              {waits && <span class="spin" aria-hidden="true" />}
              {waits ? busy : label}
            </button>
          </>
        }
      >
        {children}
      </Dialog>
    );
  }

  /** The first click only stops waiting for the request, which may still succeed. */
  readonly #cancel = () => {
    const { submission, close } = this.props;
    if (submission?.cancel() !== true) close();
  };
}
