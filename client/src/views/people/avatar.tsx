import { hue, initials } from '../../../../server/wire/avatar.ts';
import type { User } from '../../../../server/wire/events.ts';
import { ERASED } from '../../store/user-ids.ts';
import { Icon } from '../controls/icon.tsx';

/** Hidden from screen readers, because the name is always next to it. */
export function Avatar({ user, kind = '' }: { user: User; kind?: string }) {
  const erased = user.id === ERASED;
  return (
    <span
      class={`avatar ${erased ? 'none' : hue(user.id)} ${kind}`.trim()}
      data-user={user.id}
      aria-hidden="true"
    >
      {erased ? <Icon name="person" /> : initials(user.name)}
    </span>
  );
}
