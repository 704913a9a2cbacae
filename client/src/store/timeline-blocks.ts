import type { ComponentChildren } from 'preact';
import { startOfDay } from '../strings/strings.ts';
import type { Entry } from './entries.ts';

/** A line between messages that is not a message, such as “… pinned a message”. */
export interface Note {
  /** Shown after the message with this `seq`. */
  readonly after: number;
  readonly line: ComponentChildren;
}

/** A block of the timeline. Blocks are listed from top to bottom. */
export type TimelineBlock =
  | { readonly kind: 'day'; readonly at: number; readonly key: string }
  | { readonly kind: 'new' }
  | { readonly kind: 'note'; readonly note: Note }
  /** After the root message of a thread. */
  | { readonly kind: 'root' }
  | { readonly kind: 'group'; readonly own: boolean; readonly entries: Entry[] };

const GAP_MS = 5 * 60_000;

/**
 * Groups consecutive messages of one author. Adds lines where the day changes, where unseen messages begin, and
 * the notes.
 * @param root - for a thread, the `seq` of its root message; the first day is not shown
 */
export function blocks(
  entries: readonly Entry[],
  me: string,
  newFrom: number | undefined,
  notes: readonly Note[] = [],
  root?: number,
): TimelineBlock[] {
  const noted = Map.groupBy(notes, ({ after }) => after);
  const list: TimelineBlock[] = [];
  let last: Entry | undefined;
  let lastDay: number | undefined;
  let open: Entry[] | undefined;
  let marked = false;
  for (const entry of entries) {
    const day = startOfDay(entry.sentAt);
    if (last === undefined ? root === undefined : day !== lastDay) {
      list.push({ kind: 'day', at: entry.sentAt, key: entry.key });
      open = undefined;
    }
    const seq = entry.message?.seq ?? 0;
    if (!marked && newFrom !== undefined && seq >= newFrom && entry.user.id !== me) {
      list.push({ kind: 'new' });
      marked = true;
      open = undefined;
    }
    const follows =
      last?.user.id === entry.user.id && Math.abs(entry.sentAt - last.sentAt) <= GAP_MS ? open : undefined;
    if (follows !== undefined) {
      follows.push(entry);
    } else {
      open = [entry];
      list.push({ kind: 'group', own: entry.user.id === me, entries: open });
    }
    last = entry;
    lastDay = day;
    for (const note of (entry.message && noted.get(seq)) ?? []) {
      list.push({ kind: 'note', note });
      open = undefined;
    }
    if (root !== undefined && entry.message?.seq === root) {
      list.push({ kind: 'root' });
      open = undefined;
    }
  }
  return list;
}
