import { Component } from 'preact';
import type { Answers, Message } from '../../../../server/wire/events.ts';
import type { Context } from '../context.ts';
import { Bones } from '../controls/bones.tsx';
import { Dialog } from '../controls/dialog.tsx';
import { Submission } from '../controls/submission.ts';
import { Avatar } from '../people/avatar.tsx';
import { seenWords } from './seen-line.tsx';

interface Props {
  readonly context: Context;
  readonly message: Message;
  close(): void;
}

/** The dialog with the read receipts of the user's message. */
export class SeenBy extends Component<Props> {
  #seen: Answers['message:seen'] | undefined;
  readonly #submission = new Submission(this.props.context);

  override componentDidMount(): void {
    this.#load();
  }

  override componentWillUnmount(): void {
    this.#submission.cancel();
  }

  override render({ context, close }: Props) {
    const { strings } = context;
    const seen = this.#seen;
    const { problem } = this.#submission;
    return (
      <Dialog
        context={context}
        title={strings.text('seen.title')}
        problem={problem}
        again={problem === undefined ? undefined : () => this.#load()}
        submit={close}
        close={close}
        actions={
          <button type="button" class="btn" onClick={close}>
            {strings.text('common.close')}
          </button>
        }
      >
        {seen === undefined ? (
          problem === undefined && (
            <Bones>
              <div class="bone line w55" />
            </Bones>
          )
        ) : (
          <>
            <p class="hint flat" role="status">
              {seenWords(seen, strings)}
            </p>
            <ul class="seers">
              {seen.users.map((user) => (
                <li key={user.id}>
                  <Avatar user={user} />
                  <bdi>{user.name}</bdi>
                </li>
              ))}
            </ul>
          </>
        )}
      </Dialog>
    );
  }

  #load(): void {
    const { context, message } = this.props;
    const { room, seq } = message;
    void this.#submission.run(
      () => context.chat.request('message:seen', { room, seq }),
      (seen) => {
        this.#seen = seen;
      },
    );
  }
}
