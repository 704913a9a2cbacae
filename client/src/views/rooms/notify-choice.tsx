import type { RoomSummary } from '../../../../server/wire/events.ts';
import type { Context } from '../context.ts';
import { Segments } from '../controls/rows.tsx';
import { when } from '../later/times.ts';
import { NotifyLine } from './ask-card.tsx';

type Notify = RoomSummary['notify'];

interface Props {
  readonly context: Context;
  readonly chosen: Notify;
  /** The end of a timed mute. */
  readonly until?: number | undefined;
  choose(notify: Notify): void;
}

/** Selects which messages in a room notify the user. */
export function NotifyChoice({ context, chosen, until, choose }: Props) {
  const { strings } = context;
  const label = strings.text('settings.notify');
  return (
    <>
      <p class="label">{label}</p>
      <Segments
        label={label}
        chosen={chosen}
        options={(['all', 'mentions', 'none'] as const).map((one) => [
          one,
          strings.text(`settings.notify.${one}`),
        ])}
        choose={choose}
      />
      {until !== undefined && (
        <p class="hint">{strings.text('rooms.quietUntil', { when: when(until, strings) })}</p>
      )}
      <NotifyLine context={context} />
    </>
  );
}
