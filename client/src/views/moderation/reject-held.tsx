import { Component } from 'preact';
import type { Held } from '../../../../server/wire/events.ts';
import type { Context } from '../context.ts';
import { Submission } from '../controls/submission.ts';
import { Reject } from './reject.tsx';

interface Props {
  readonly context: Context;
  readonly held: Held;
  close(): void;
}

/** Asks for a reason and rejects a pending message. Unlike on the moderators’ page, this cannot be undone. */
export class RejectHeld extends Component<Props> {
  readonly #submission = new Submission(this.props.context);

  override render({ context, held: { id, user }, close }: Props) {
    const { chat, strings } = context;
    return (
      <Reject
        context={context}
        title={strings.text('held.reject')}
        name={strings.name(user)}
        submission={this.#submission}
        submit={(reason) =>
          void this.#submission.run(
            () => chat.request('held:reject', { id, reason: reason || undefined }),
            close,
          )
        }
        close={close}
      />
    );
  }
}
