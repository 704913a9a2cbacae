import { Component } from 'preact';
import type { Context } from '../context.ts';
import { fromField, toField } from '../controls/date-fields.ts';
import { Problem } from '../controls/dialog.tsx';
import { FormDialog } from '../controls/form-dialog.tsx';
import { Submission } from '../controls/submission.ts';
import { laterRefusal } from './later.tsx';
import { when } from './times.ts';

interface Props {
  readonly context: Context;
  readonly title: string;
  schedule(at: number): Promise<void>;
  close(): void;
}

const HOUR = 3_600_000;
const STEP = 300_000;

/** The dialog for the time of a scheduled message or a reminder. */
export class SendLater extends Component<Props> {
  #value = toField(Math.ceil((this.props.context.chat.clock.now + HOUR) / STEP) * STEP);
  readonly #submission = new Submission(this.props.context);

  override render({ context, title, close }: Props) {
    const { changed } = context;
    return (
      <FormDialog
        context={context}
        title={title}
        submission={this.#submission}
        label={title}
        ready={isAhead(this.#value, context)}
        submit={this.#submit}
        close={close}
      >
        <WhenField
          context={context}
          value={this.#value}
          typed={(value) => {
            this.#value = value;
            changed();
          }}
        />
      </FormDialog>
    );
  }

  readonly #submit = () => {
    const { context, schedule, close } = this.props;
    const at = fromField(this.#value);
    if (at === undefined || !isAhead(this.#value, context)) return;
    void this.#submission.run(
      () => schedule(at),
      close,
      (error) => laterRefusal(error, context.strings),
    );
  };
}

/** Whether the time is in the future, by the server's clock. */
export const isAhead = (value: string, { chat }: Context) => (fromField(value) ?? 0) > chat.clock.now;

interface FieldProps {
  readonly context: Context;
  readonly value: string;
  typed(value: string): void;
}

/** A field for a day and time, with the time zone below it. */
export function WhenField({ context, value, typed }: FieldProps) {
  const { chat, strings } = context;
  const at = fromField(value);
  const isOver = at !== undefined && !isAhead(value, context);
  return (
    <>
      <label class="label" for="later-when">
        {strings.text('later.choose')}
      </label>
      <input
        class="input"
        id="later-when"
        type="datetime-local"
        value={value}
        min={toField(chat.clock.now)}
        aria-invalid={isOver || undefined}
        aria-describedby="later-when-hint"
        onInput={({ currentTarget }) => typed(currentTarget.value)}
      />
      {isOver ? (
        <Problem id="later-when-hint" text={strings.text('later.past')} />
      ) : (
        <p class="hint" id="later-when-hint">
          {at === undefined ? '\u00a0' : when(at, strings, true)}
        </p>
      )}
    </>
  );
}
