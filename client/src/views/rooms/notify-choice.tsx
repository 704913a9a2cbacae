import type { RoomSummary } from '../../../../server/wire/events.ts';
import type { Context } from '../context.ts';
import { NotifyLine } from './ask-card.tsx';

type Notify = RoomSummary['notify'];

interface Props {
  readonly context: Context;
  readonly chosen: Notify;
  choose(notify: Notify): void;
}

/** Selects which messages in a room notify the user. */
export function NotifyChoice({ context, chosen, choose }: Props) {
  const { strings } = context;
  const label = strings.text('settings.notify');
  return (
    <>
      <p class="label">{label}</p>
      {/* biome-ignore lint/a11y/useSemanticElements: a fieldset looks different. */}
      <div class="seg" role="group" aria-label={label}>
        {(['all', 'mentions', 'none'] as const).map((notify) => (
          <button type="button" key={notify} aria-pressed={chosen === notify} onClick={() => choose(notify)}>
            {strings.text(`settings.notify.${notify}`)}
          </button>
        ))}
      </div>
      <NotifyLine context={context} />
    </>
  );
}
