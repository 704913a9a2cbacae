import { hue, initials } from '../../../../server/wire/avatar.ts';
import type { User } from '../../../../server/wire/events.ts';
import { ERASED } from '../../store/user-ids.ts';
import { Icon } from '../controls/icon.tsx';

/** The initials by name. Their computation is slow, and a list of messages repeats the same few names. */
const known = new Map<string, string>();

export function cachedInitials(name: string): string {
  const letters = known.get(name) ?? initials(name);
  if (known.size >= 1000) known.clear();
  known.set(name, letters);
  return letters;
}

/** Hidden from screen readers, because the name is always next to it. */
export function Avatar({ user, kind = '' }: { user: User; kind?: string }) {
  const erased = user.id === ERASED;
  return (
    <span
      class={`avatar ${erased ? 'none' : hue(user.id)} ${kind}`.trim()}
      data-user={user.id}
      aria-hidden="true"
    >
      {erased ? <Icon name="person" /> : cachedInitials(user.name)}
    </span>
  );
}
