import { Component, type ComponentChildren } from 'preact';
import type { ControlContext } from '../context.ts';
import { Dialog } from './dialog.tsx';
import type { Submission } from './submission.ts';

interface Props {
  readonly context: ControlContext;
  readonly title: string;
  /** A question: it has no fields, and begins with the harmless answer. */
  readonly ask?: boolean;
  /** Something was typed, which a stray press must not lose. */
  readonly typed?: boolean;
  /** The request that it makes; absent if it makes none. */
  readonly submission?: Submission;
  /** Whether the request can be repeated beside its error. */
  readonly again?: boolean;
  readonly label: string;
  /** Instead of the label while one waits for the answer. */
  readonly busy?: string;
  /** Null where nothing is left to cancel. */
  readonly cancel?: string | null | undefined;
  /** Whether there is all that it needs. */
  readonly ready?: boolean;
  /** Whether it takes something away. */
  readonly bad?: boolean;
  readonly children: ComponentChildren;
  submit(): void;
  close(): void;
}

/** A dialog that makes one request, with the two buttons for it. */
export class FormDialog extends Component<Props> {
  override componentWillUnmount(): void {
    this.props.submission?.cancel();
  }

  override render({ context, title, ask = false, typed = false, submission, children, ...props }: Props) {
    const { label, busy = label, cancel, bad = false, again = false, ready = true, submit, close } = props;
    const problem = submission?.problem;
    const waits = submission?.busy === true;
    return (
      <Dialog
        context={context}
        title={title}
        ask={ask}
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

  /** Stops waiting first, whatever becomes of the request. */
  readonly #cancel = () => {
    const { submission, close } = this.props;
    if (submission?.cancel() !== true) close();
  };
}
