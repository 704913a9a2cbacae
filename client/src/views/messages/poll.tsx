import type { Poll } from '../../../../server/wire/events.ts';
import { hasEnded, voteKeys } from '../../../../server/wire/polls.ts';
import type { Entry } from '../../store/entries.ts';
import type { Strings } from '../../strings/strings.ts';
import { calendarFile } from '../../text/calendar-file.ts';
import type { Context } from '../context.ts';
import { Icon } from '../controls/icon.tsx';
import { isMine, vote } from './react.ts';

const answers = ['poll.coming', 'poll.notComing', 'poll.maybe'] as const;

/** The options of a poll or an event, under the text of its message, which is the question. A click votes. */
export function poll({ message }: Entry, context: Context) {
  const { chat, strings } = context;
  if (message?.poll === undefined) return null;
  const asked = message.poll;
  const { event, multiple } = asked;
  const voteByKey = new Map(message.reactions?.map((reaction) => [reaction.emoji, reaction]));
  const keys = voteKeys(asked);
  const counts = keys.map((key) => voteByKey.get(key)?.count ?? 0);
  const total = counts.reduce((sum, count) => sum + count, 0);
  const most = Math.max(1, ...counts);
  const isOver = hasEnded(asked, chat.clock.now);
  return (
    <div class="poll">
      {event !== undefined && (
        <div class="when">
          <Icon name="calendar" />
          <div>
            <div>{whenOf(event, strings)}</div>
            <div>
              {event.place !== undefined && <bdi>{event.place}</bdi>}
              <button
                type="button"
                class="link"
                tabIndex={-1}
                onClick={() => save(message.text, event, message.id, chat.clock.now)}
              >
                {strings.text('event.calendar')}
              </button>
            </div>
          </div>
        </div>
      )}
      <fieldset aria-label={strings.text(multiple ? 'poll.multiple' : 'poll.question')}>
        {keys.map((key, n) => {
          const cast = voteByKey.get(key);
          const count = counts[n] ?? 0;
          const mine = cast !== undefined && isMine(cast, chat.me?.id);
          const answer = answers[n];
          return (
            <button
              type="button"
              class={`vote${multiple ? ' several' : ''}${isOver && count === most ? ' most' : ''}`}
              tabIndex={-1}
              key={key}
              // Names the voters in a tooltip.
              data-emoji={asked.anonymous ? undefined : key}
              aria-pressed={mine}
              aria-disabled={isOver || undefined}
              style={{ '--part': total === 0 ? '0%' : `${(count / total) * 100}%` }}
              onClick={() => !isOver && void vote(context, message, n + 1)}
            >
              <span dir="auto">{asked.options?.[n] ?? (answer && strings.text(answer))}</span>
              <span>{strings.number(count)}</span>
            </button>
          );
        })}
      </fieldset>
      <small>{aboutPoll(asked, total, isOver, strings)}</small>
    </div>
  );
}

function aboutPoll(asked: Poll, total: number, isOver: boolean, strings: Strings): string {
  const { anonymous, multiple, until } = asked;
  const end = isOver
    ? strings.text('poll.ended')
    : until !== undefined && `${strings.text('poll.ends')}: ${dateOf(until, strings)}`;
  return [
    strings.count('poll.votes', total),
    multiple && strings.text('poll.multiple'),
    anonymous && strings.text('poll.anonymous'),
    end,
  ]
    .filter((part) => typeof part === 'string')
    .join(' · ');
}

const dateOf = (at: number, { locale }: Strings): string =>
  new Intl.DateTimeFormat(locale, { dateStyle: 'medium', timeStyle: 'short' }).format(at);

/** Formats the time without the year, if it is this one. */
function whenOf({ start, end }: NonNullable<Poll['event']>, { locale, now }: Strings): string {
  const isThisYear = new Date(start).getFullYear() === new Date(now).getFullYear();
  const format = new Intl.DateTimeFormat(locale, {
    weekday: 'short',
    day: 'numeric',
    month: 'short',
    ...(isThisYear ? {} : { year: 'numeric' }),
    hour: 'numeric',
    minute: '2-digit',
  });
  const words = end === undefined ? format.format(start) : format.formatRange(start, end);
  // In narrow cards, the half of the day would be alone in a line.
  return words.replace(/(?<=\d) (?=\p{L}+\.?$)/u, '\u00a0');
}

/** Saves the event as a file that calendar programs open. */
function save(title: string, event: NonNullable<Poll['event']>, id: string, now: number): void {
  const file = new Blob([calendarFile({ ...event, title, id }, now)], { type: 'text/calendar' });
  const link = document.createElement('a');
  link.href = URL.createObjectURL(file);
  link.download = 'event.ics';
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
