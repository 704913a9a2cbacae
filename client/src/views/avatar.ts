import type { User } from '../../../server/events.ts';
import { hue, initials } from '../text/avatar.ts';
import { h } from './h.ts';

/** Decoration: the name always stands beside it. */
export function avatar(user: User, classes = ''): HTMLElement {
  return h(
    'span',
    { class: `avatar h${hue(user.id)} ${classes}`.trim(), 'aria-hidden': 'true' },
    initials(user.name),
  );
}
