import type { User } from '../../../server/events.ts';
import { hue, initials } from '../text/avatar.ts';

/** Decoration: the name always stands beside it. */
export function Avatar({ user, kind = '' }: { user: User; kind?: string }) {
  return (
    <span class={`avatar h${hue(user.id)} ${kind}`.trim()} data-user={user.id} aria-hidden="true">
      {initials(user.name)}
    </span>
  );
}
