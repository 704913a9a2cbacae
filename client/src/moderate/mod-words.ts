import { mostCounted } from '../../../server/wire/counted.ts';
import type { Report } from '../../../server/wire/events.ts';
import type { Strings } from '../strings/strings.ts';
import type { DeskContext } from './desk-context.ts';

/** A moderator may know no more of it than its id. */
export const isDirect = (room: string): boolean => room.startsWith('d-');

/** A number as far as it was counted: there may be more than `most`. */
export const counted = (n: number, strings: Strings, most = mostCounted): string =>
  `${strings.number(n)}${n < most ? '' : '+'}`;

/** The name of a room; of one that this user cannot read, that it is one. */
export function roomName(id: string, { chat, strings }: Pick<DeskContext, 'chat' | 'strings'>): string {
  const room = chat.list.byId.get(id);
  if (room !== undefined) return strings.roomName(room.summary);
  return strings.text(isDirect(id) ? 'mod.directRoom' : 'mod.otherRoom');
}

/** The reasons of reports, each once, the one that is given most first. */
export function reasonsOf(reports: readonly Report[]): Report['reason'][] {
  const groups = [...Map.groupBy(reports, ({ reason }) => reason)];
  return groups.sort(([, a], [, b]) => b.length - a.length).map(([reason]) => reason);
}

/** Told to the author: why it was deleted. "Something else" says nothing. */
export function toldReason(reports: readonly Report[], strings: Strings): string | undefined {
  const reason = reasonsOf(reports).find((one) => one !== 'other');
  return reason && strings.text(`report.${reason}`);
}
