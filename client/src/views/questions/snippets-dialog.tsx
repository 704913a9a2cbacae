import { Component } from 'preact';
import { isBlank } from '../../../../server/text/blank.ts';
import { longestSnippet, longestSnippetName } from '../../../../server/wire/questions.ts';
import type { Questions } from '../../chat/questions.ts';
import type { Context } from '../context.ts';
import { Problem, TextField } from '../controls/dialog.tsx';
import { FormDialog } from '../controls/form-dialog.tsx';
import { IconButton } from '../controls/icon.tsx';
import { Row } from '../controls/rows.tsx';
import { Submission } from '../controls/submission.ts';

interface Props {
  readonly context: Context;
  readonly questions: Questions;
  close(): void;
}

/** The dialog for the texts that the team keeps for frequent answers. */
export class SnippetsDialog extends Component<Props> {
  readonly #submission = new Submission(this.props.context);
  #name = '';
  #text = '';

  override componentDidMount(): void {
    const { questions, context } = this.props;
    void this.#submission.run(() => questions.loadSnippets(), context.changed);
  }

  override render({ context, questions, close }: Props) {
    const { strings, changed } = context;
    const excess = [...this.#text].length - longestSnippet;
    const isNameTooLong = [...this.#name.trim()].length > longestSnippetName;
    const isReady = !isBlank(this.#name) && !isBlank(this.#text) && excess <= 0 && !isNameTooLong;
    return (
      <FormDialog
        context={context}
        title={strings.text('questions.snippets')}
        typed={this.#text !== ''}
        submission={this.#submission}
        label={strings.text('common.save')}
        cancel={strings.text('common.close')}
        ready={isReady}
        submit={() => isReady && this.#set(this.#name.trim(), this.#text.trim())}
        close={close}
      >
        <p>{strings.text('questions.snippetHint')}</p>
        <ul class="sets">
          {questions.snippets?.map(({ name, text }) => (
            <Row
              key={name}
              title={
                <button
                  type="button"
                  class="link"
                  onClick={() => {
                    this.#name = name;
                    this.#text = text;
                    changed();
                  }}
                >
                  <bdi>/{name}</bdi>
                </button>
              }
              hint={<bdi>{[...text].slice(0, 80).join('')}</bdi>}
            >
              <IconButton
                name="delete"
                label={`${strings.text('action.delete')}: ${name}`}
                press={() => this.#set(name, '')}
              />
            </Row>
          ))}
        </ul>
        <TextField
          id="snippet-name"
          label={strings.text('create.name')}
          value={this.#name}
          readOnly={this.#submission.busy}
          error={isNameTooLong ? strings.text('error.other') : undefined}
          next="snippet-text"
          typed={(value) => {
            this.#name = value;
            changed();
          }}
        />
        <label class="label" for="snippet-text">
          {strings.text('questions.snippetText')}
        </label>
        <textarea
          class="input"
          id="snippet-text"
          rows={4}
          value={this.#text}
          readOnly={this.#submission.busy}
          onInput={({ currentTarget }) => {
            this.#text = currentTarget.value;
            changed();
          }}
        />
        {excess > 0 && <Problem id="snippet-error" text={strings.count('composer.tooMany', excess)} />}
      </FormDialog>
    );
  }

  #set(name: string, text: string): void {
    void this.#submission.run(
      () => this.props.questions.setSnippet(name, text),
      () => {
        if (text === '') return;
        this.#name = '';
        this.#text = '';
      },
    );
  }
}
