import type { Context } from '../context.ts';
import { Empty } from '../controls/empty.tsx';
import { banWords } from '../moderation/restriction-words.ts';
import { askingOf } from '../questions/asking.tsx';

interface Props {
  readonly context: Context;
  /** What was searched for in the list of rooms. */
  readonly query?: string | undefined;
}

/**
 * Shown while no room is open, or none is found. Explains a ban, or offers to create a room if the user has none and
 * can join none.
 */
export function NoRoom({ context, query }: Props) {
  const { chat, strings, dialog } = context;
  if (query !== undefined) {
    const text = strings.text('rooms.filterNone', { q: query });
    return (
      <Empty picture="search" title={strings.text('search.none.title')} text={text} key="nothing">
        {chat.mayCreate && (
          <button type="button" class="btn" onClick={() => dialog({ kind: 'create', name: query })}>
            {strings.text('rooms.new')}
          </button>
        )}
      </Empty>
    );
  }
  const { ban } = chat.shown;
  if (ban !== undefined) {
    const { title, end, reason } = banWords(ban.name, ban, strings);
    return (
      <Empty picture="ban" title={title} text={end}>
        {reason && <p>{reason}</p>}
        {!chat.single && (
          <button type="button" class="btn narrow" onClick={() => context.pane('rooms')}>
            {strings.text('rooms.back')}
          </button>
        )}
      </Empty>
    );
  }
  const asking = chat.asks ? askingOf(context) : undefined;
  if (asking !== undefined)
    return (
      <div class="empty">
        <h3 tabIndex={-1}>{strings.text('launcher.ask')}</h3>
        {asking.form()}
      </div>
    );
  if (chat.single || chat.rooms.size > 0) {
    const which = chat.single ? 'single' : 'none';
    return (
      <Empty
        picture={chat.single ? 'alert' : 'talk'}
        title={strings.text(`empty.${which}.title`)}
        text={strings.text(`empty.${which}.text`)}
      />
    );
  }
  const begin = chat.mayCreate
    ? ({ text: 'empty.rooms.text', label: 'rooms.new', kind: 'create' } as const)
    : chat.can.direct
      ? ({ text: 'empty.rooms.direct', label: 'direct.title', kind: 'direct' } as const)
      : ({ text: 'empty.rooms.wait' } as const);
  return (
    <Empty picture="talk" title={strings.text('empty.rooms.title')} text={strings.text(begin.text)}>
      {begin.kind !== undefined && (
        <button type="button" class="btn primary" onClick={() => dialog({ kind: begin.kind })}>
          {strings.text(begin.label)}
        </button>
      )}
    </Empty>
  );
}
