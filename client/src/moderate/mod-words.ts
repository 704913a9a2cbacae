import { mostCounted } from '../../../server/wire/counted.ts';
import type { Report } from '../../../server/wire/events.ts';
import type { Strings } from '../strings/strings.ts';
import type { DeskContext } from './desk-context.ts';

/** Whether a room is direct. A moderator may know only its ID. */
export const isDirect = (room: string): boolean => room.startsWith('d-');

/** Formats a count, with a `+` if the counting stopped at `most`. */
export const counted = (n: number, strings: Strings, most = mostCounted): string =>
  `${strings.number(n)}${n < most ? '' : '+'}`;

/** Returns the name of a room, or a general name if the user cannot read the room. */
export function roomName(id: string, { chat, strings }: Pick<DeskContext, 'chat' | 'strings'>): string {
  const room = chat.list.byId.get(id);
  if (room !== undefined) return strings.roomName(room.summary);
  return strings.text(isDirect(id) ? 'mod.directRoom' : 'mod.otherRoom');
}

/** Returns the different reasons of reports, the most frequent first. */
export function reasonsOf(reports: readonly Report[]): Report['reason'][] {
  const groups = [...Map.groupBy(reports, ({ reason }) => reason)];
  return groups.sort(([, a], [, b]) => b.length - a.length).map(([reason]) => reason);
}

/**
 * Returns the reason that the author of a deleted message receives. The reason `other` is left out, because it does not
 * explain anything.
 */
export function toldReason(reports: readonly Report[], strings: Strings): string | undefined {
  const reason = reasonsOf(reports).find((one) => one !== 'other');
  return reason && strings.text(`report.${reason}`);
}
