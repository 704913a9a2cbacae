import { Component } from 'preact';
import type { Notify } from '../../../../server/events.ts';
import type { Room } from '../../store/room.ts';
import type { Context } from '../context.ts';
import { Actions, Dialog } from './dialog.tsx';
import { isConflict, refusal } from './refusal.ts';
import { RoomFields } from './room-fields.tsx';

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
  #busy = false;
  #problem: string | undefined;
  #closed = false;

  constructor(props: Props) {
    super(props);
    const { name, topic = '', notify } = props.room.summary;
    this.#before = { name, topic };
    this.#fields = new RoomFields(props.context.strings, props.context.changed, name, topic);
    this.#notify = notify;
  }

  override componentWillUnmount(): void {
    this.#closed = true;
  }

  override render({ context, room, close }: Props) {
    const { strings, changed } = context;
    const label = strings.text('settings.notify');
    return (
      <Dialog
        context={context}
        title={strings.text('settings.title')}
        typed={this.#renamed() || this.#notify !== room.summary.notify}
        problem={this.#problem}
        again={this.#problem === undefined ? undefined : this.#save}
        submit={this.#save}
        close={close}
        actions={
          <Actions
            context={context}
            label={strings.text('settings.save')}
            busy={this.#busy ? strings.text('settings.save') : undefined}
            submit={this.#save}
            close={this.#cancel}
          />
        }
      >
        {room.summary.may.includes('update') && this.#fields.draw(this.#busy)}
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
    if (!this.#busy) return this.props.close();
    this.#busy = false;
    this.props.context.changed();
  };

  readonly #save = async () => {
    const { context, room, close } = this.props;
    const { chat, strings, toast, changed } = context;
    if (this.#busy || (this.#renamed() && !this.#fields.check())) return;
    this.#busy = true;
    this.#problem = undefined;
    changed();
    const { name, topic } = this.#fields;
    try {
      // Only what was changed: somebody else may be changing the rest.
      const change = {
        ...(name === this.#before.name ? {} : { name }),
        ...(topic === this.#before.topic ? {} : { topic }),
      };
      if (this.#renamed()) await chat.updateRoom({ room: room.id, ...change });
      if (this.#notify !== room.summary.notify) await chat.notify(room, this.#notify);
      if (this.#closed || !this.#busy) return;
      toast(strings.text('settings.saved'), 'good');
      return close();
    } catch (error) {
      if (isConflict(error)) this.#fields.fail('create.taken');
      else this.#problem = refusal(error, strings);
      this.#busy = false;
      changed();
    }
  };
}
