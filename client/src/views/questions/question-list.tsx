import { Component, createRef } from 'preact';
import type { Question } from '../../../../server/wire/events.ts';
import type { Questions, WhichQuestions } from '../../chat/questions.ts';
import { atMost99 } from '../../strings/strings.ts';
import { plainKey } from '../../text/plain-key.ts';
import { lastWords } from '../../text/words.ts';
import type { Context } from '../context.ts';
import { RovingList } from '../controls/roving-list.tsx';
import { Segments } from '../controls/rows.tsx';
import { Avatar } from '../people/avatar.tsx';
import { listTime } from '../rooms/list-time.ts';
import { howLong } from './how-long.ts';

interface Props {
  readonly context: Context;
  readonly questions: Questions;
  open(room: string): void;
  /** Runs the action of a key on a question. Returns false if the key has none. */
  act(key: string, question: Question): boolean;
}

const tabs: readonly WhichQuestions[] = ['mine', 'unassigned', 'all', 'closed'];
/** The next page is loaded within this distance of the end, in CSS pixels. */
const AHEAD = 400;

/** The questions that the team answers. Those that wait longest come first. */
export class QuestionList extends Component<Props> {
  readonly #list = createRef<HTMLDivElement>();

  override render({ context, questions }: Props) {
    const { strings } = context;
    const { which, list, counts } = questions;
    const label = strings.text('questions.title');
    return (
      <div class="questions">
        <Segments
          label={label}
          chosen={which}
          options={tabs.map((tab) => {
            const count = tab === 'closed' ? 0 : (counts?.[tab] ?? 0);
            return [
              tab,
              `${strings.text(`questions.${tab}`)}${count > 0 ? ` ${atMost99(count)}` : ''}`,
            ] as const;
          })}
          choose={(tab) => questions.show(tab)}
        />
        <RovingList
          items="li > .room"
          label={label}
          preferred="[aria-current]"
          // Letters are shortcuts.
          noLetters
          element={this.#list}
          busy={list === undefined}
          onScroll={this.#extend}
          onKeyDown={this.#key}
        >
          {list?.length === 0 ? (
            <p class="note">{strings.text('questions.none')}</p>
          ) : (
            <ul>{list?.map((question) => this.#row(question))}</ul>
          )}
        </RovingList>
      </div>
    );
  }

  #row({ room: id, name, asker, by, waitingSince, last, state }: Question) {
    const { context, open } = this.props;
    const { chat, strings } = context;
    const room = chat.rooms.get(id);
    const unread = room === undefined ? 0 : chat.unreadIn(room);
    const waits =
      waitingSince === undefined
        ? undefined
        : strings.text('questions.waits', { time: howLong(chat.clock.now - waitingSince, strings) });
    const who =
      by === undefined
        ? strings.text('questions.free')
        : by.id === chat.me?.id
          ? strings.text('msg.you')
          : strings.name(by);
    return (
      <li key={id}>
        <button
          type="button"
          class={unread > 0 ? 'room two unread' : 'room two'}
          aria-current={id === chat.current?.id || undefined}
          tabIndex={-1}
          data-key={id}
          onClick={() => open(id)}
        >
          <Avatar user={asker} />
          <span class="what">
            <span class="l1">
              <span class="name">
                <bdi>{strings.name(asker)}</bdi>
                {unread > 0 && <span class="vh">, {strings.text('rooms.unread', { n: unread })}</span>}
              </span>
              {last !== undefined && (
                <time dateTime={new Date(last.sentAt).toISOString()} title={strings.fullTime(last.sentAt)}>
                  {listTime(last.sentAt, strings)}
                </time>
              )}
            </span>
            <span class="l2">
              <span class="last">
                <bdi>
                  {last === undefined || last.deletedAt !== undefined ? name : lastWords(last, strings)}
                </bdi>
              </span>
              {unread > 0 && (
                <span class="badge" aria-hidden="true">
                  {atMost99(unread)}
                </span>
              )}
            </span>
            <span class="l2 whose">
              <bdi>{who}</bdi>
              {waits !== undefined && state === 'open' && <b>{waits}</b>}
            </span>
          </span>
        </button>
      </li>
    );
  }

  readonly #key = (event: KeyboardEvent) => {
    const key = plainKey(event);
    const rows = [...(this.#list.current?.querySelectorAll<HTMLElement>('.room') ?? [])];
    const at = rows.indexOf(event.target as HTMLElement);
    if (key === 'j' || key === 'k') {
      const row = rows[at + (key === 'j' ? 1 : -1)];
      row?.focus();
      row?.scrollIntoView({ block: 'nearest' });
    } else {
      const question = this.props.questions.list?.find(({ room }) => room === rows[at]?.dataset.key);
      if (key === undefined || question === undefined || !this.props.act(key, question)) return;
    }
    event.preventDefault();
  };

  readonly #extend = () => {
    const list = this.#list.current;
    if (list === null || !this.props.questions.hasMore) return;
    if (list.scrollHeight - list.scrollTop - list.clientHeight < AHEAD) this.props.questions.more();
  };
}
