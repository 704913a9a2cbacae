import { mostUnreadMentions, type UnreadMentions } from '../../history/history.ts';

/** Shared by all memberships without unread mentions, which are most. */
export const noMentions: UnreadMentions = new Map();

/** Returns the mentions after the read marker. */
export function stillUnread(mentions: UnreadMentions, readSeq: number): UnreadMentions {
  return filtered(mentions, (seq) => seq > readSeq);
}

export function withoutMention(mentions: UnreadMentions, seq: number): UnreadMentions {
  return filtered(mentions, (one) => one !== seq);
}

/**
 * Adds a message of `author`, which must not be included yet. Above `mostUnreadMentions` it drops the oldest mention by
 * a blocked user, because such mentions do not count. Without such a mention, it drops the oldest of all.
 */
export function withMention(
  mentions: UnreadMentions,
  author: string,
  seq: number,
  blocked: ReadonlySet<string>,
): UnreadMentions {
  const now = new Map(mentions).set(
    author,
    [...(mentions.get(author) ?? []), seq].sort((a, b) => a - b),
  );
  const all = [...now.values()].flat();
  if (all.length <= mostUnreadMentions) return now;
  const hidden = [...blocked].flatMap((user) => now.get(user) ?? []);
  return withoutMention(now, Math.min(...(hidden.length === 0 ? all : hidden)));
}

/** Whether older mentions may be missing. */
export function leavesOut(mentions: UnreadMentions): boolean {
  return [...mentions.values()].flat().length >= mostUnreadMentions;
}

/** Counts the mentions from the message `firstSeq` on, except those by blocked users. */
export function countMentions(
  mentions: UnreadMentions,
  blocked: ReadonlySet<string>,
  firstSeq: number,
): number {
  let count = 0;
  for (const [author, seqs] of mentions) {
    if (!blocked.has(author)) count += seqs.filter((seq) => seq >= firstSeq).length;
  }
  return count;
}

function filtered(mentions: UnreadMentions, stays: (seq: number) => boolean): UnreadMentions {
  if (mentions.size === 0) return noMentions;
  if ([...mentions.values()].every((seqs) => seqs.every(stays))) return mentions;
  const now = new Map<string, readonly number[]>();
  for (const [author, seqs] of mentions) {
    const left = seqs.filter(stays);
    if (left.length > 0) now.set(author, left);
  }
  return now.size === 0 ? noMentions : now;
}
