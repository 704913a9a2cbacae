import { Component } from 'preact';
import type { Context } from '../context.ts';
import { Actions, Dialog } from './dialog.tsx';
import { refusal } from './refusal.ts';

interface Props {
  readonly context: Context;
  readonly title: string;
  readonly text?: string;
  /** The answer that changes nothing. */
  readonly stay: string;
  readonly label: string;
  run(): Promise<void>;
  /** What was asked has been done. */
  done?(): void;
  close(): void;
}

/** Asks before something is taken away. */
export class Ask extends Component<Props> {
  #busy = false;
  #problem: string | undefined;
  #closed = false;

  override componentWillUnmount(): void {
    this.#closed = true;
  }

  override render({ context, title, text, stay, label, close }: Props) {
    return (
      <Dialog
        context={context}
        title={title}
        ask
        problem={this.#problem}
        submit={this.#submit}
        close={close}
        actions={
          <Actions
            context={context}
            label={label}
            busy={this.#busy ? label : undefined}
            cancel={stay}
            bad
            submit={this.#submit}
            close={close}
          />
        }
      >
        {text !== undefined && <p class="hint flat">{text}</p>}
      </Dialog>
    );
  }

  readonly #submit = async () => {
    const { context, run, done, close } = this.props;
    if (this.#busy) return;
    this.#busy = true;
    this.#problem = undefined;
    context.changed();
    try {
      await run();
      if (this.#closed) return;
      close();
      done?.();
    } catch (error) {
      this.#problem = refusal(error, context.strings);
      this.#busy = false;
      context.changed();
    }
  };
}
