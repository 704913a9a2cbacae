import { Component } from 'preact';
import { isBlank } from '../../../../server/text/blank.ts';
import { longestNote } from '../../../../server/wire/questions.ts';
import { newId } from '../../chat/outbox.ts';
import type { Questions } from '../../chat/questions.ts';
import type { Room } from '../../store/room.ts';
import type { Context } from '../context.ts';
import { Problem } from '../controls/dialog.tsx';
import { FormDialog } from '../controls/form-dialog.tsx';
import { Submission } from '../controls/submission.ts';

interface Props {
  readonly context: Context;
  readonly questions: Questions;
  readonly room: Pick<Room, 'id'>;
  close(): void;
}

/** The dialog for a note that only the team sees. */
export class NoteDialog extends Component<Props> {
  readonly #submission = new Submission(this.props.context);
  readonly #clientId = newId();
  #text = '';

  override render({ context, questions, room, close }: Props) {
    const { strings, changed } = context;
    const excess = [...this.#text.trim()].length - longestNote;
    return (
      <FormDialog
        context={context}
        title={strings.text('questions.note')}
        typed={this.#text !== ''}
        submission={this.#submission}
        label={strings.text('common.save')}
        ready={!isBlank(this.#text) && excess <= 0}
        submit={() => {
          if (isBlank(this.#text) || excess > 0) return;
          const note = () => questions.note(room, this.#text.trim(), this.#clientId);
          void this.#submission.run(note, close);
        }}
        close={close}
      >
        <label class="label" for="note-text">
          {strings.text('questions.noteOnly')}
        </label>
        <textarea
          class="input"
          id="note-text"
          rows={5}
          value={this.#text}
          readOnly={this.#submission.busy}
          onInput={({ currentTarget }) => {
            this.#text = currentTarget.value;
            changed();
          }}
        />
        {excess > 0 && <Problem id="note-error" text={strings.count('composer.tooMany', excess)} />}
      </FormDialog>
    );
  }
}
