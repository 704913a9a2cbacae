import { Component } from 'preact';
import { isBlank } from '../../../../server/text/blank.ts';
import type { Reminder, Scheduled } from '../../../../server/wire/events.ts';
import type { Follower } from '../../chat/chat-listener.ts';
import { RequestError } from '../../connection/connection-state.ts';
import { type EditedContent, editedOf } from '../../store/entries.ts';
import { cleaned, codePoints } from '../../text/paste.ts';
import { textOf, wordsOf } from '../../text/words.ts';
import type { Context } from '../context.ts';
import { Bones } from '../controls/bones.tsx';
import { fromField, toField } from '../controls/date-fields.ts';
import { Dialog, Problem } from '../controls/dialog.tsx';
import { FormDialog } from '../controls/form-dialog.tsx';
import { Submission } from '../controls/submission.ts';
import { ImportantMark } from '../messages/important-mark.tsx';
import { laterRefusal } from './later.tsx';
import { isAhead, WhenField } from './send-later.tsx';
import { when } from './times.ts';

interface Props {
  readonly context: Context;
  close(): void;
}

/** A scheduled message that is being edited, and the values of the fields. */
interface Editing {
  readonly of: Scheduled;
  content: EditedContent;
  value: string;
}

/** The dialog with the user's scheduled messages in all rooms, those that could not be sent, and the reminders. */
export class ScheduledList extends Component<Props> {
  #list: readonly Scheduled[] | undefined;
  #reminders: readonly Reminder[] = [];
  #edit: Editing | undefined;
  readonly #submission = new Submission(this.props.context);
  readonly #follower: Follower = {
    ready: () => void this.#load(),
    scheduled: () => void this.#load(),
    reminded: () => void this.#load(),
  };

  override componentDidMount(): void {
    void this.#load();
    this.props.context.chat.followers.add(this.#follower);
  }

  override componentWillUnmount(): void {
    this.props.context.chat.followers.delete(this.#follower);
    this.#submission.cancel();
  }

  override render({ context, close }: Props) {
    const { strings } = context;
    if (this.#edit !== undefined) return this.#form(this.#edit);
    const list = this.#list;
    return (
      <Dialog
        context={context}
        title={strings.text('later.list')}
        problem={this.#submission.problem}
        again={list === undefined && this.#submission.problem ? () => void this.#load() : undefined}
        submit={close}
        close={close}
        actions={
          <button type="button" class="btn" onClick={close}>
            {strings.text('common.close')}
          </button>
        }
      >
        {list === undefined && (
          <Bones>
            <div class="bone line w55" />
          </Bones>
        )}
        {list?.length === 0 && this.#reminders.length === 0 && (
          <p class="hint flat">{strings.text('later.none')}</p>
        )}
        <ul class="reports">{list?.map((one) => this.#row(one))}</ul>
        {this.#reminders.length > 0 && (
          <>
            <h3 class="label">{strings.text('remind.list')}</h3>
            <ul class="reports">{this.#reminders.map((one) => this.#reminder(one))}</ul>
          </>
        )}
      </Dialog>
    );
  }

  #row(one: Scheduled) {
    const { chat, strings } = this.props.context;
    const { id, room, files, important, at, failed } = one;
    return (
      <li class="report" key={id}>
        <small>
          {/* If the room is unknown, the message failed and the reason says so. */}
          {chat.rooms.has(room) && (
            <b>
              <bdi>{this.#roomName(one)}</bdi>
            </b>
          )}
          <span>{when(at, strings)}</span>
          {important && <ImportantMark strings={strings} />}
        </small>
        <p dir="auto">{textOf(one, strings) || strings.list((files ?? []).map(({ name }) => name))}</p>
        {failed !== undefined && <Problem id={`${id}-failed`} text={this.#why(one, failed.code)} />}
        <div class="acts">
          <button type="button" class="btn" onClick={() => this.#begin(one)}>
            {strings.text('action.edit')}
          </button>
          <button type="button" class="btn" onClick={() => this.#run('scheduled:send', one)}>
            {strings.text('later.now')}
          </button>
          <button type="button" class="btn" onClick={() => this.#run('scheduled:delete', one)}>
            {strings.text('action.delete')}
          </button>
        </div>
      </li>
    );
  }

  #reminder({ id, room, seq, at, due, message }: Reminder) {
    const { context, close } = this.props;
    const { chat, strings, dialog } = context;
    const remove = () => this.#submit(() => chat.request('reminder:delete', { id }));
    const show = () => {
      close();
      context.jump({ room, seq });
      if (due) chat.request('reminder:delete', { id }).catch(() => {});
    };
    const move = () =>
      dialog({
        kind: 'later',
        title: strings.text('remind.action'),
        schedule: async (time) => void (await chat.request('reminder:set', { room, seq, at: time })),
      });
    return (
      <li class="report" key={id}>
        <small>
          <b>
            <bdi>{message === undefined ? strings.text('remind.list') : this.#roomName({ room })}</bdi>
          </b>
          <span>{when(at, strings)}</span>
        </small>
        <p dir="auto">
          {message === undefined
            ? strings.text('remind.gone')
            : wordsOf(message.text, message.files, strings, context.linked)}
        </p>
        <div class="acts">
          {message !== undefined && (
            <>
              <button type="button" class="btn" onClick={show}>
                {strings.text('common.show')}
              </button>
              <button type="button" class="btn" onClick={move}>
                {strings.text('later.choose')}
              </button>
            </>
          )}
          <button type="button" class="btn" onClick={remove}>
            {strings.text('action.delete')}
          </button>
        </div>
      </li>
    );
  }

  #form(edit: Editing) {
    const { context } = this.props;
    const { chat, strings, changed } = context;
    const { text, important } = edit.content;
    const over = codePoints(text) - chat.limits.text;
    const isEmpty = isBlank(cleaned(text)) && !edit.of.files?.length;
    const change = (change: Partial<EditedContent>) => {
      edit.content = { ...edit.content, ...change };
      changed();
    };
    return (
      <FormDialog
        key="form"
        context={context}
        title={strings.text('composer.editing')}
        typed={JSON.stringify(edit.content) !== JSON.stringify(editedOf(edit.of))}
        submission={this.#submission}
        label={strings.text('composer.save')}
        ready={over <= 0 && !isEmpty && isAhead(edit.value, context)}
        submit={this.#save}
        close={() => {
          this.#edit = undefined;
          changed();
        }}
      >
        <label class="label" for="later-text">
          <bdi>{this.#roomName(edit.of)}</bdi>
        </label>
        <textarea
          class="input"
          id="later-text"
          dir="auto"
          aria-label={strings.text('composer.editing')}
          value={text}
          readOnly={this.#submission.busy}
          onInput={({ currentTarget }) => {
            change({ text: currentTarget.value });
          }}
        />
        {over > 0 && <Problem id="later-long" text={strings.count('composer.tooMany', over)} />}
        <label class="choice">
          <input
            type="checkbox"
            checked={important}
            disabled={this.#submission.busy}
            onChange={({ currentTarget }) => change({ important: currentTarget.checked })}
          />
          <div>{strings.text('msg.important')}</div>
        </label>
        <WhenField
          context={context}
          value={edit.value}
          typed={(value) => {
            edit.value = value;
            changed();
          }}
        />
      </FormDialog>
    );
  }

  #roomName({ room }: Pick<Scheduled, 'room'>): string {
    const { chat, strings } = this.props.context;
    const summary = chat.rooms.get(room)?.summary;
    return summary === undefined ? strings.text('error.unknown_room') : strings.roomName(summary);
  }

  #why({ text }: Scheduled, code: string): string {
    const { chat, strings } = this.props.context;
    if (code === 'unknown_room') return strings.text('error.unknown_room');
    if (code === 'muted' || code === 'forbidden') return strings.text('composer.mutedForGood');
    const over = codePoints(text) - chat.limits.text;
    return code === 'too_long' && over > 0
      ? strings.count('composer.tooMany', over)
      : strings.text('msg.failed');
  }

  #begin(of: Scheduled): void {
    this.#submission.problem = undefined;
    this.#edit = { of, content: editedOf(of), value: toField(of.at) };
    this.props.context.changed();
  }

  readonly #save = () => {
    const { context } = this.props;
    const { chat } = context;
    const edit = this.#edit;
    if (edit === undefined || !isAhead(edit.value, context)) return;
    const { id, rev } = edit.of;
    // Without a change, `at` is not sent, because the value is ambiguous in an hour that the clocks repeat.
    const at = edit.value === toField(edit.of.at) ? undefined : fromField(edit.value);
    const text = cleaned(edit.content.text);
    this.#submit(() =>
      chat.request('scheduled:edit', {
        id,
        rev,
        at,
        ...edit.content,
        text: text === edit.of.text ? undefined : text,
      }),
    );
  };

  #run(event: 'scheduled:send' | 'scheduled:delete', { id }: Scheduled): void {
    const { chat } = this.props.context;
    this.#submit(() => chat.request(event, { id }));
  }

  #submit(task: () => Promise<unknown>): void {
    const { strings } = this.props.context;
    void this.#submission.run(
      task,
      () => {
        this.#edit = undefined;
        void this.#load();
      },
      (error) => {
        // It was sent, or changed on another device.
        if (error.code === 'unknown_message' || error.code === 'conflict') {
          this.#edit = undefined;
          void this.#load();
        }
        return laterRefusal(error, strings);
      },
    );
  }

  async #load(): Promise<void> {
    const { chat, changed } = this.props.context;
    try {
      if (chat.connection.state.kind !== 'ready') await chat.connection.connected();
      const { scheduled } = await chat.request('scheduled:list', {});
      const { reminders } = await chat.request('reminder:list', {});
      this.#list = scheduled;
      this.#reminders = reminders;
    } catch (error) {
      // The next connection loads it again.
      if (!(error instanceof RequestError)) throw error;
    }
    changed();
  }
}
