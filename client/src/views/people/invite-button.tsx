import type { Room } from '../../store/room.ts';
import type { Context } from '../context.ts';
import { Icon } from '../controls/icon.tsx';

/** Opens the dialog that invites people, for users who may. */
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
