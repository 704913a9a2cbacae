import { Component } from 'preact';
import type { Message } from '../../../../server/wire/events.ts';
import { wordsOf } from '../../text/words.ts';
import type { Context } from '../context.ts';
import { Problem } from '../controls/dialog.tsx';
import { FormDialog } from '../controls/form-dialog.tsx';
import { Submission } from '../controls/submission.ts';
import { refusal } from '../refusal.ts';

const LONGEST_NOTE = 500;

interface Props {
  readonly context: Context;
  readonly message: Message;
  close(): void;
}

/** The dialog that reports a message to the moderators. */
export class ReportMessage extends Component<Props> {
  /** Undefined until the user chooses. */
  #reason: 'spam' | 'abuse' | 'other' | undefined;
  #note = '';
  readonly #submission = new Submission(this.props.context);

  override render({ context, message, close }: Props) {
    const { strings, changed } = context;
    const over = [...this.#note].length - LONGEST_NOTE;
    return (
      <FormDialog
        context={context}
        title={strings.text('report.title')}
        typed={this.#note !== ''}
        submission={this.#submission}
        label={strings.text('report.submit')}
        ready={this.#reason !== undefined}
        submit={this.#submit}
        close={close}
      >
        <p class="text q">{wordsOf(message.text, message.files, strings)}</p>
        <fieldset disabled={this.#submission.busy}>
          <legend>{strings.text('report.what')}</legend>
          {(['spam', 'abuse', 'other'] as const).map((reason) => (
            <label class="choice" key={reason}>
              <input
                type="radio"
                name="reason"
                checked={this.#reason === reason}
                onChange={() => {
                  this.#reason = reason;
                  changed();
                }}
              />
              <div>{strings.text(`report.${reason}`)}</div>
            </label>
          ))}
        </fieldset>
        <label class="label" for="report-note">
          {strings.text('report.note')}
          <small> · {strings.text('create.optional')}</small>
        </label>
        <textarea
          class="input"
          id="report-note"
          rows={2}
          value={this.#note}
          aria-invalid={over > 0 || undefined}
          aria-describedby={over > 0 ? 'report-note-error' : undefined}
          onInput={(event) => {
            this.#note = event.currentTarget.value;
            changed();
          }}
        />
        {over > 0 && <Problem id="report-note-error" text={strings.count('composer.tooMany', over)} />}
      </FormDialog>
    );
  }

  readonly #submit = () => {
    const { context, message, close } = this.props;
    const { chat, strings, toast } = context;
    const text = this.#note.trim();
    const reason = this.#reason;
    if (reason === undefined || [...text].length > LONGEST_NOTE) return;
    const { room, seq } = message;
    void this.#submission.run(
      () =>
        chat.request('message:report', {
          room,
          seq,
          reason,
          text: text || undefined,
        }),
      () => {
        close();
        toast(strings.text('report.done'), 'good');
      },
      (error) => refusal(error, strings),
    );
  };
}
