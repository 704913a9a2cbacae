import { Component } from 'preact';
import type { Answers } from '../../../server/wire/events.ts';
import { TextField } from '../views/controls/dialog.tsx';
import { FormDialog } from '../views/controls/form-dialog.tsx';
import { Icon } from '../views/controls/icon.tsx';
import { Submission } from '../views/controls/submission.ts';
import type { DeskContext } from './desk-context.ts';
import { counted } from './mod-words.ts';

const LONGEST_REASON = 250;

interface Props {
  readonly context: DeskContext;
  readonly person: Answers['moderate:person'];
  done(): void;
  close(): void;
}

/** Asks for the exact name before all data of a user is permanently deleted. */
export class ErasePerson extends Component<Props> {
  #name = '';
  #reason = '';
  readonly #submission = new Submission(this.props.context);

  override render({ context, person, close }: Props) {
    const { strings, changed } = context;
    const { user, messages, erases } = person;
    return (
      <FormDialog
        context={context}
        title={strings.text('mod.eraseTitle', { name: user.name })}
        typed={`${this.#name}${this.#reason}` !== ''}
        submission={this.#submission}
        label={strings.text('mod.eraseSubmit')}
        ready={this.#isReady}
        bad
        submit={this.#submit}
        close={close}
      >
        <p class="hint flat">{strings.text('mod.eraseText')}</p>
        <ul class="what-goes">
          <li>
            <Icon name="delete" />
            <span>
              {strings.count('mod.eraseGoes', messages, { n: counted(messages, strings) })}
              {erases !== undefined && (
                <small>
                  {strings.text('mod.eraseCounts', {
                    files: counted(erases.files, strings),
                    reactions: counted(erases.reactions, strings),
                  })}
                </small>
              )}
            </span>
          </li>
          <li>
            <Icon name="delete" />
            <span>{strings.text('mod.eraseDirect')}</span>
          </li>
          <li class="stay">
            <Icon name="check" />
            <span>{strings.text('mod.eraseStays')}</span>
          </li>
          <li class="stay">
            <Icon name="check" />
            <span>{strings.text('mod.eraseLog')}</span>
          </li>
        </ul>
        <TextField
          id="erase-reason"
          label={strings.text('mod.eraseWhy')}
          optional={strings.text('create.optional')}
          value={this.#reason}
          readOnly={this.#submission.busy}
          error={this.#over > 0 ? strings.count('composer.tooMany', this.#over) : undefined}
          typed={(value) => {
            this.#reason = value;
            changed();
          }}
        />
        <TextField
          id="erase-name"
          label={strings.text('mod.eraseType', { name: user.name })}
          value={this.#name}
          readOnly={this.#submission.busy}
          typed={(value) => {
            this.#name = value;
            changed();
          }}
        />
      </FormDialog>
    );
  }

  get #isReady(): boolean {
    return this.#name === this.props.person.user.name && this.#over <= 0;
  }

  get #over(): number {
    return [...this.#reason.trim()].length - LONGEST_REASON;
  }

  readonly #submit = () => {
    if (!this.#isReady) return;
    const { context, person, done, close } = this.props;
    const { id, name } = person.user;
    const reason = this.#reason.trim();
    void this.#submission.run(
      () => context.chat.request('moderate:erase', { user: id, name, reason: reason || undefined }),
      () => {
        close();
        done();
      },
    );
  };
}
