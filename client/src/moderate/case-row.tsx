import type { Strings } from '../strings/strings.ts';
import { Icon } from '../views/controls/icon.tsx';
import { Avatar } from '../views/people/avatar.tsx';
import { listTime } from '../views/rooms/list-time.ts';
import type { DeskContext } from './desk-context.ts';
import { reasonsOf, roomName } from './mod-words.ts';
import { type Case, subjectOf } from './queue.ts';
import { lineOf } from './shown-message.tsx';

interface Props {
  readonly context: DeskContext;
  readonly one: Case;
  readonly current: boolean;
  open(): void;
}

/** A case in the queue: the author, the message, and why it is there. */
export function CaseRow({ context, one, current, open }: Props) {
  const { strings } = context;
  const subject = subjectOf(one);
  const { user, at, room } = subject;
  return (
    <li>
      <button
        type="button"
        class="case"
        aria-current={current || undefined}
        tabIndex={-1}
        data-key={one.key}
        onClick={open}
      >
        <Avatar user={user} />
        <span class="l1">
          <b>
            <bdi>{strings.name(user)}</bdi>
          </b>
          <time dateTime={new Date(at).toISOString()} title={strings.fullTime(at)}>
            {listTime(at, strings)}
          </time>
        </span>
        <span class="words" dir="auto">
          {lineOf(subject, context)}
        </span>
        <small>
          {one.kind === 'held' ? (
            <span class="why wait">
              <Icon name="clock" />
              {strings.text('mod.waits')}
            </span>
          ) : (
            <span class="why">
              <Icon name="flag" />
              {strings.count('mod.reports', one.reports.length)}
            </span>
          )}{' '}
          · {whyOf(one, strings)} · <bdi>{roomName(room, context)}</bdi>
        </small>
      </button>
    </li>
  );
}

function whyOf(one: Case, strings: Strings): string {
  if (one.kind === 'held')
    return strings.text(one.held.seq === undefined ? `mod.why.${one.held.why}` : 'mod.edit');
  return strings.list(reasonsOf(one.reports).map((reason) => strings.text(`report.${reason}`)));
}
