import { Component } from 'preact';
import type { Answers } from '../../../server/wire/events.ts';
import { TextField } from '../views/controls/dialog.tsx';
import { FormDialog } from '../views/controls/form-dialog.tsx';
import { Icon } from '../views/controls/icon.tsx';
import { Submission } from '../views/controls/submission.ts';
import type { DeskContext } from './desk-context.ts';

interface Props {
  readonly context: DeskContext;
  readonly person: Answers['moderate:person'];
  done(): void;
  close(): void;
}

/** Asks for the exact name before everything of a person is deleted for good. */
export class ErasePerson extends Component<Props> {
  #name = '';
  readonly #submission = new Submission(this.props.context);

  override render({ context, person, close }: Props) {
    const { strings, changed } = context;
    const { user, messages } = person;
    return (
      <FormDialog
        context={context}
        title={strings.text('mod.eraseTitle', { name: user.name })}
        typed={this.#name !== ''}
        submission={this.#submission}
        label={strings.text('mod.eraseSubmit')}
        ready={this.#isSame}
        bad
        submit={this.#submit}
        close={close}
      >
        <p class="hint flat">{strings.text('mod.eraseText')}</p>
        <ul class="what-goes">
          <li>
            <Icon name="delete" />
            <span>{strings.count('mod.eraseGoes', messages)}</span>
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

  get #isSame(): boolean {
    return this.#name === this.props.person.user.name;
  }

  readonly #submit = () => {
    if (!this.#isSame) return;
    const { context, person, done, close } = this.props;
    const { id, name } = person.user;
    void this.#submission.run(
      () => context.chat.request('moderate:erase', { user: id, name }),
      () => {
        close();
        done();
      },
    );
  };
}
