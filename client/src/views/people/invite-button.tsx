import type { Room } from '../../store/room.ts';
import type { Context } from '../context.ts';
import { Icon } from '../controls/icon.tsx';

/** The button that opens the invite dialog. Only shown to users who may invite. */
export function InviteButton({ context, room }: { readonly context: Context; readonly room: Room }) {
  const { strings, dialog } = context;
  if (!room.summary.may.includes('invite')) return null;
  return (
    <button
      type="button"
      class="icon"
      aria-label={strings.text('rooms.invite')}
      onClick={() => dialog({ kind: 'invite', room })}
    >
      <Icon name="invite" />
    </button>
  );
}
