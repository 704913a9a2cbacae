import type { Context } from '../context.ts';
import { Empty } from '../empty.tsx';

/** There is no room at all, neither one's own nor one to join: what one may do by oneself is offered. */
export function NoRooms({ context }: { context: Context }) {
  const { chat, strings, dialog } = context;
  const begin = chat.mayCreate
    ? ({ text: 'empty.rooms.text', label: 'rooms.new', kind: 'create' } as const)
    : chat.can.direct
      ? ({ text: 'empty.rooms.direct', label: 'direct.title', kind: 'direct' } as const)
      : ({ text: 'empty.rooms.wait' } as const);
  return (
    <Empty picture="hash" title={strings.text('empty.rooms.title')} text={strings.text(begin.text)}>
      {begin.kind !== undefined && (
        <button type="button" class="btn primary" onClick={() => dialog({ kind: begin.kind })}>
          {strings.text(begin.label)}
        </button>
      )}
    </Empty>
  );
}
