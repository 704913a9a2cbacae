import type { Context } from './context.ts';
import { Empty } from './empty.tsx';

/** There is no room at all, neither one's own nor one to join. */
export function NoRooms({ context }: { context: Context }) {
  const { chat, strings, dialog } = context;
  return (
    <Empty picture="hash" title={strings.text('empty.rooms.title')} text={strings.text('empty.rooms.text')}>
      {chat.mayCreate && (
        <button type="button" class="btn primary" onClick={() => dialog({ kind: 'create' })}>
          {strings.text('rooms.new')}
        </button>
      )}
    </Empty>
  );
}
