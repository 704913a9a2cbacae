import { Component } from 'preact';
import type { Room } from '../../store/room.ts';
import type { Context } from '../context.ts';
import { beginOf, dayOf } from '../controls/date-fields.ts';
import { FormDialog } from '../controls/form-dialog.tsx';
import { Submission } from '../controls/submission.ts';
import { refusal } from '../refusal.ts';

interface Props {
  readonly context: Context;
  readonly room: Room;
  /** The day to begin with, in Unix ms. */
  readonly day: number;
  close(): void;
}

/** The dialog that leads to the first message of a day, or after it. */
export class GoToDay extends Component<Props> {
  #day = dayOf(new Date(this.props.day));
  readonly #submission = new Submission(this.props.context);

  override render({ context, close }: Props) {
    const { strings, changed } = context;
    const title = strings.text('day.go');
    return (
      <FormDialog
        context={context}
        title={title}
        submission={this.#submission}
        again
        label={title}
        ready={this.#day !== ''}
        submit={this.#go}
        close={close}
      >
        <input
          class="input"
          type="date"
          aria-label={title}
          max={dayOf(new Date(strings.now))}
          value={this.#day}
          onInput={({ currentTarget }) => {
            this.#day = currentTarget.value;
            changed();
          }}
        />
      </FormDialog>
    );
  }

  readonly #go = () => {
    const { context, room, close } = this.props;
    if (this.#day === '') return;
    void this.#submission.run(
      () => this.#lastBefore(beginOf(this.#day, 0)),
      (last) => {
        const { firstSeq = 1, lastSeq } = room.summary;
        close();
        context.jump({ room: room.id, seq: Math.min(Math.max(last + 1, firstSeq), lastSeq) });
      },
      (error) => refusal(error, context.strings),
    );
  };

  /** Returns the `seq` of the last message before a time, or 0. */
  async #lastBefore(sentBefore: number): Promise<number> {
    let cursor: string | undefined;
    do {
      const { messages, next } = await this.props.context.chat.request('message:search', {
        room: this.props.room.id,
        sentBefore,
        limit: 1,
        cursor,
      });
      if (messages[0] !== undefined) return messages[0].seq;
      // A page may be empty although there are older messages.
      cursor = next;
    } while (cursor !== undefined);
    return 0;
  }
}
