import { Component } from 'preact';
import type { Notify } from '../../../../server/events.ts';
import type { Room } from '../../store/room.ts';
import type { Context } from '../context.ts';
import { refusal } from '../refusal.ts';
import { Actions, Dialog } from './dialog.tsx';
import { RoomFields } from './room-fields.tsx';
import { Submission } from './submission.ts';

interface Props {
  readonly context: Context;
  readonly room: Room;
  close(): void;
}

/** A room's name and topic, for those who may change them, and what one wants to be told of it. */
export class RoomSettings extends Component<Props> {
  readonly #fields: RoomFields;
  readonly #before: { readonly name: string; readonly topic: string };
  #notify: Notify;
  readonly #submission = new Submission(this.props.context);

  constructor(props: Props) {
    super(props);
    const { name, topic = '', notify } = props.room.summary;
    this.#before = { name, topic };
    this.#fields = new RoomFields(props.context.strings, props.context.changed, name, topic);
    this.#notify = notify;
  }

  override componentWillUnmount(): void {
    this.#submission.cancel();
  }

  override render({ context, room, close }: Props) {
    const { strings, changed } = context;
    const label = strings.text('settings.notify');
    return (
      <Dialog
        context={context}
        title={strings.text('settings.title')}
        typed={this.#renamed() || this.#notify !== room.summary.notify}
        problem={this.#submission.problem}
        again={this.#submission.problem === undefined ? undefined : this.#save}
        submit={this.#save}
        close={close}
        actions={
          <Actions
            context={context}
            label={strings.text('settings.save')}
            busy={this.#submission.busy ? strings.text('settings.save') : undefined}
            submit={this.#save}
            close={this.#cancel}
          />
        }
      >
        {room.summary.may.includes('update') && this.#fields.draw(this.#submission.busy)}
        <p class="label">{label}</p>
        {/* biome-ignore lint/a11y/useSemanticElements: a fieldset has other looks. */}
        <div class="seg" role="group" aria-label={label}>
          {(['all', 'mentions', 'none'] as const).map((notify) => (
            <button
              type="button"
              key={notify}
              aria-pressed={this.#notify === notify}
              onClick={() => {
                this.#notify = notify;
                changed();
              }}
            >
              {strings.text(`settings.notify.${notify}`)}
            </button>
          ))}
        </div>
      </Dialog>
    );
  }

  #renamed(): boolean {
    const { name, topic } = this.#fields;
    return name !== this.#before.name || topic !== this.#before.topic;
  }

  readonly #cancel = () => {
    if (!this.#submission.cancel()) this.props.close();
  };

  readonly #save = () => {
    const { context, room, close } = this.props;
    const { chat, strings, toast } = context;
    if (this.#renamed() && !this.#fields.check()) return;
    const { name, topic } = this.#fields;
    void this.#submission.run(
      async () => {
        // Only what was changed: somebody else may be changing the rest.
        const change = {
          ...(name === this.#before.name ? {} : { name }),
          ...(topic === this.#before.topic ? {} : { topic }),
        };
        if (this.#renamed()) await chat.updateRoom({ room: room.id, ...change });
        if (this.#notify !== room.summary.notify) await chat.notify(room, this.#notify);
      },
      () => {
        toast(strings.text('settings.saved'), 'good');
        close();
      },
      (error) => {
        if (error.code !== 'conflict') return refusal(error, strings);
        this.#fields.fail('create.taken');
        return undefined;
      },
    );
  };
}
