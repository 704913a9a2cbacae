import { Component } from 'preact';
import type { Report } from '../../../../server/wire/events.ts';
import type { Follower } from '../../chat/chat-listener.ts';
import { wordsOf } from '../../text/words.ts';
import type { Context } from '../context.ts';
import { Dialog, opener } from '../controls/dialog.tsx';
import { Submission } from '../controls/submission.ts';
import { refusal } from '../refusal.ts';
import { listTime } from '../rooms/list-time.ts';
import { Restrict } from './restrict.tsx';

interface Props {
  readonly context: Context;
  close(): void;
}

type Done = 'deleted' | 'muted' | 'nothing';

/**
 * The dialog with the open reports, grouped by message, newest first. A report closed by another moderator disappears.
 */
export class Reports extends Component<Props> {
  #reports: Report[] | undefined;
  /** The reports of the message whose author is being muted. */
  #muting: readonly Report[] | undefined;
  /** ID of the report whose mute dialog was opened last. */
  #asked: string | undefined;
  readonly #submission = new Submission(this.props.context);
  readonly #follower: Follower = {
    reported: ({ report }) => {
      const others = (this.#reports ?? []).filter(({ id }) => id !== report.id);
      this.#reports = report.closed === undefined ? [report, ...others] : others;
      this.props.context.changed();
    },
    ready: () => this.#load(),
  };

  override componentDidMount(): void {
    this.props.context.chat.followers.add(this.#follower);
    this.#load();
  }

  override componentWillUnmount(): void {
    this.props.context.chat.followers.delete(this.#follower);
    this.#submission.cancel();
  }

  override render({ context, close }: Props) {
    const { strings } = context;
    const muting = this.#muting;
    const [first] = muting ?? [];
    if (muting !== undefined && first !== undefined) {
      return (
        <Restrict
          context={context}
          how="mute"
          name={strings.name(first.message.user)}
          room={this.#roomName(first)}
          reasoned={false}
          run={(restriction) => this.#closeAll(muting, 'muted', restriction)}
          close={() => {
            this.#muting = undefined;
            context.changed();
          }}
        />
      );
    }
    return (
      <Dialog
        context={context}
        title={strings.text('reports.title')}
        count={this.#byMessage().length}
        problem={this.#submission.problem}
        again={this.#reports === undefined && this.#submission.problem ? () => this.#load() : undefined}
        submit={close}
        close={close}
        actions={
          <button type="button" class="btn" onClick={close}>
            {strings.text('reports.close')}
          </button>
        }
      >
        {this.#reports?.length === 0 && <p class="hint flat">{strings.text('reports.none')}</p>}
        <ul class="reports">{this.#byMessage().map((reports) => this.#report(reports))}</ul>
        <p class="hint">
          <a class="link" href={`${context.chat.server}moderate`} target="_blank" rel="noopener">
            {strings.text('reports.page')}
          </a>
        </p>
      </Dialog>
    );
  }

  #report(reports: readonly Report[]) {
    const { context } = this.props;
    const { strings } = context;
    const [first] = reports as [Report, ...Report[]];
    const { message } = first;
    const reasons = strings.list([...new Set(reports.map(({ reason }) => strings.text(`report.${reason}`)))]);
    const by =
      reports.length === 1
        ? strings.text('reports.by', { name: strings.name(first.by) })
        : strings.text('reports.byMany', { n: reports.length });
    const notes = reports.flatMap(({ text }) => text ?? []);
    const button = (label: string, run: () => void, kind = 'btn', asks = false) => (
      <button type="button" class={kind} onClick={run} {...opener(asks)}>
        {label}
      </button>
    );
    return (
      <li class="report" key={first.id}>
        <small>
          <b>
            <bdi>{strings.name(message.user)}</bdi>
          </b>
          <span>
            <bdi>{this.#roomName(first)}</bdi>, {listTime(message.sentAt, strings)}
          </span>
        </small>
        <p dir="auto">{wordsOf(message.text, message.files, strings)}</p>
        <small>
          <span>
            {reasons} · {by}
            {notes.length > 0 && ': '}
            {notes.map((note, n) => [
              n > 0 && ' ',
              <bdi key={n}>{strings.text('composer.reason', { text: note })}</bdi>,
            ])}
          </span>
        </small>
        <div class="acts">
          {context.chat.rooms.has(first.room) &&
            button(strings.text('common.show'), () => {
              this.props.close();
              context.jump(first.message);
            })}
          {button(strings.text('reports.delete'), () => this.#run(reports, 'deleted'))}
          {button(
            strings.text('reports.mute'),
            () => {
              this.#muting = reports;
              this.#asked = first.id;
              context.changed();
            },
            'btn',
            this.#asked === first.id,
          )}
          {button(strings.text('reports.done'), () => this.#run(reports, 'nothing'), 'btn quiet')}
        </div>
      </li>
    );
  }

  #roomName({ room }: Report): string {
    return this.props.context.chat.rooms.get(room)?.summary.name ?? room;
  }

  #byMessage(): Report[][] {
    const groups = Map.groupBy(this.#reports ?? [], ({ room, message }) => `${message.seq} ${room}`);
    return [...groups.values()];
  }

  #load(): void {
    const { chat, strings } = this.props.context;
    void this.#submission.run(
      () => chat.request('report:list', { limit: 100 }),
      ({ reports }) => {
        this.#reports = reports;
      },
      (error) => refusal(error, strings),
    );
  }

  #run(reports: readonly Report[], done: Done): void {
    void this.#submission.run(
      () => this.#closeAll(reports, done),
      () => {},
      (error) => refusal(error, this.props.context.strings),
    );
  }

  async #closeAll(
    reports: readonly Report[],
    done: Done,
    { seconds }: { seconds?: number } = {},
  ): Promise<void> {
    const { chat } = this.props.context;
    for (const { id } of reports) await chat.request('report:close', { id, done, seconds });
    this.#muting = undefined;
    const closed = new Set(reports.map(({ id }) => id));
    this.#reports = this.#reports?.filter(({ id }) => !closed.has(id));
    this.props.context.changed();
  }
}
