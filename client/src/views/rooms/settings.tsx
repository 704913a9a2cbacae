import { Component } from 'preact';
import type { Notify, RoomSummary } from '../../../../server/wire/events.ts';
import type { Room } from '../../store/room.ts';
import type { Strings } from '../../strings/strings.ts';
import type { Context } from '../context.ts';
import { Ask } from '../controls/ask.tsx';
import { opener } from '../controls/dialog.tsx';
import { FormDialog } from '../controls/form-dialog.tsx';
import { Submission } from '../controls/submission.ts';
import { Restricted } from '../moderation/restricted.tsx';
import { HandOver } from '../people/hand-over.tsx';
import { refusal } from '../refusal.ts';
import { NotifyChoice } from './notify-choice.tsx';
import { RoomFields } from './room-fields.tsx';

/** Seconds of slow mode that are offered. */
const PAUSES = [0, 10, 30, 60, 300, 900];

type Question = 'restricted' | 'handOver' | 'delete';

interface Props {
  readonly context: Context;
  readonly room: Room;
  close(): void;
}

/**
 * A room's name and topic, for those who may change them, and what one wants to be told of it; for moderators, who is
 * muted or banned; for the owner, what ends being that.
 */
export class RoomSettings extends Component<Props> {
  readonly #fields: RoomFields;
  readonly #before: { readonly name: string; readonly topic: string };
  #notify: Notify;
  #write: RoomSummary['write'];
  #slow: number;
  /** A question in place of the settings, which come back with all that was typed. */
  #asking: Question | undefined;
  /** The last question. */
  #asked: Question | undefined;
  readonly #submission = new Submission(this.props.context);

  constructor(props: Props) {
    super(props);
    const { name, topic = '', notify } = props.room.summary;
    this.#before = { name, topic };
    this.#fields = new RoomFields(props.context.strings, props.context.changed, name, topic);
    this.#notify = notify;
    this.#write = props.room.summary.write;
    this.#slow = props.room.summary.slow ?? 0;
  }

  override render({ context, room, close }: Props) {
    const { chat, strings, changed, toast } = context;
    const { name } = room.summary;
    const back = () => this.#ask(undefined);
    if (this.#asking === 'restricted') return <Restricted context={context} room={room} close={back} />;
    if (this.#asking === 'handOver')
      return <HandOver context={context} room={room} done={close} close={back} />;
    if (this.#asking === 'delete')
      return (
        <Ask
          context={context}
          title={strings.text('owner.deleteAsk', { room: name })}
          text={strings.text('owner.deleteText')}
          stay={strings.text('delete.keep')}
          label={strings.text('owner.delete')}
          run={() => chat.deleteRoom(room)}
          done={() => {
            close();
            toast(strings.text('rooms.deleted', { room: name }), 'good');
          }}
          close={back}
        />
      );
    return (
      <FormDialog
        context={context}
        title={strings.text('settings.title')}
        typed={this.#renamed() || this.#ruled(room.summary) || this.#notify !== room.summary.notify}
        submission={this.#submission}
        again
        label={strings.text('settings.save')}
        submit={this.#save}
        close={close}
      >
        {room.summary.may.includes('update') && this.#fields.draw(this.#submission.busy)}
        <NotifyChoice
          context={context}
          chosen={this.#notify}
          choose={(notify) => {
            this.#notify = notify;
            changed();
          }}
        />
        {room.summary.may.includes('update') && this.#rules()}
        {this.#ends()}
      </FormDialog>
    );
  }

  /** Sets who may write, and how often. */
  #rules() {
    const { strings, changed } = this.props.context;
    const label = strings.text('settings.write');
    return (
      <>
        <p class="label">{label}</p>
        {/* biome-ignore lint/a11y/useSemanticElements: a fieldset has other looks. */}
        <div class="seg" role="group" aria-label={label}>
          {(['all', 'moderators'] as const).map((write) => (
            <button
              type="button"
              key={write}
              aria-pressed={this.#write === write}
              onClick={() => {
                this.#write = write;
                changed();
              }}
            >
              {strings.text(`settings.write.${write}`)}
            </button>
          ))}
        </div>
        <label class="label" for="room-slow">
          {strings.text('settings.slow')}
        </label>
        <select
          class="input"
          id="room-slow"
          onChange={(event) => {
            this.#slow = Number(event.currentTarget.value);
            changed();
          }}
        >
          {[...new Set([...PAUSES, this.#slow])]
            .sort((a, b) => a - b)
            .map((seconds) => (
              <option key={seconds} value={seconds} selected={this.#slow === seconds}>
                {pause(seconds, strings)}
              </option>
            ))}
        </select>
      </>
    );
  }

  #ruled({ write, slow = 0 }: RoomSummary): boolean {
    return this.#write !== write || this.#slow !== slow;
  }

  #ends() {
    const { context, room } = this.props;
    const { may, role } = room.summary;
    const { strings } = context;
    const handOver = role === 'owner' && may.includes('roles');
    const moderates = may.includes('moderate');
    if (!handOver && !moderates && !may.includes('delete')) return null;
    const button = (question: Question, label: string, kind = 'btn') => (
      <button
        type="button"
        class={kind}
        {...opener(this.#asked === question)}
        onClick={() => {
          this.#asked = question;
          this.#ask(question);
        }}
      >
        {label}
      </button>
    );
    return (
      <div class="ends">
        {moderates && button('restricted', strings.text('restricted.title'))}
        {handOver && button('handOver', strings.text('owner.handOver'))}
        {may.includes('delete') && button('delete', strings.text('owner.delete'), 'btn bad')}
      </div>
    );
  }

  #ask(question: Question | undefined): void {
    this.#submission.cancel();
    this.#asking = question;
    this.props.context.changed();
  }

  #renamed(): boolean {
    const { name, topic } = this.#fields;
    return name !== this.#before.name || topic !== this.#before.topic;
  }

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
          ...(this.#ruled(room.summary) ? { write: this.#write, slow: this.#slow } : {}),
        };
        if (Object.keys(change).length > 0) await chat.updateRoom({ room: room.id, ...change });
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

function pause(seconds: number, strings: Strings): string {
  if (seconds === 0) return strings.text('settings.slow.off');
  if (seconds % 60 > 0 || seconds === 60) return strings.text('settings.slow.seconds', { s: seconds });
  return strings.text('settings.slow.minutes', { m: seconds / 60 });
}
