import { Icon } from '../views/controls/icon.tsx';
import { Avatar } from '../views/people/avatar.tsx';
import { listTime } from '../views/rooms/list-time.ts';
import type { DeskContext } from './desk-context.ts';
import { reasonsOf, roomName } from './mod-words.ts';
import type { Case } from './queue.ts';
import { textOf } from './shown-message.tsx';

interface Props {
  readonly context: DeskContext;
  readonly one: Case;
  readonly current: boolean;
  open(): void;
}

/** A case in the queue: who, what, and what is said about it. */
export function CaseRow({ context, one, current, open }: Props) {
  const { strings } = context;
  const { reports } = one;
  const { message, room } = reports[0];
  const reasons = reasonsOf(reports).map((reason) => strings.text(`report.${reason}`));
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
        <Avatar user={message.user} />
        <span class="l1">
          <b>
            <bdi>{strings.name(message.user)}</bdi>
          </b>
          <time dateTime={new Date(message.sentAt).toISOString()} title={strings.fullTime(message.sentAt)}>
            {listTime(message.sentAt, strings)}
          </time>
        </span>
        <span class="words" dir="auto">
          {textOf(message, context)}
        </span>
        <small>
          <span class="why">
            <Icon name="flag" />
            {strings.count('mod.reports', reports.length)}
          </span>
          <span>
            · {reasons.join(', ')} · <bdi>{roomName(room, context)}</bdi>
          </span>
        </small>
      </button>
    </li>
  );
}
