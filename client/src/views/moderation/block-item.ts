import type { User } from '../../../../server/wire/events.ts';
import { ERASED } from '../../store/user-ids.ts';
import type { Context } from '../context.ts';
import type { MenuItem } from '../controls/menu.tsx';

/** Returns the menu item that blocks or unblocks another user. */
export function blockItem(user: User, context: Context): MenuItem | false {
  const { chat, strings, dialog, toast } = context;
  const blocking = context.blocking();
  // All erased users share this ID.
  if (user.id === chat.me?.id || user.id === ERASED || blocking === undefined || chat.isGuest) return false;
  if (blocking.has(user.id)) {
    return {
      picture: 'block',
      label: strings.text('block.undo', { name: user.name }),
      run: () => {
        blocking.set(user, false).catch(() => toast(strings.text('error.other'), 'bad'));
      },
    };
  }
  return {
    picture: 'block',
    label: strings.text('block.action', { name: user.name }),
    bad: true,
    run: () => dialog({ kind: 'block', user, run: () => blocking.set(user, true) }),
  };
}
