import { mostUnreadMentions, type UnreadMentions } from '../../history/history.ts';

/** Of nobody, which is what most have in most rooms. */
export const noMentions: UnreadMentions = new Map();

/** Those after what has been read. */
export function stillUnread(mentions: UnreadMentions, readSeq: number): UnreadMentions {
  return filtered(mentions, (seq) => seq > readSeq);
}

export function withoutMention(mentions: UnreadMentions, seq: number): UnreadMentions {
  return filtered(mentions, (one) => one !== seq);
}

/** With a message of `author` that is not among them. */
export function withMention(mentions: UnreadMentions, author: string, seq: number): UnreadMentions {
  const now = new Map(mentions).set(
    author,
    [...(mentions.get(author) ?? []), seq].sort((a, b) => a - b),
  );
  const all = [...now.values()].flat();
  return all.length <= mostUnreadMentions ? now : withoutMention(now, Math.min(...all));
}

/** How many there are of others than the blocked, from the message `firstSeq` on. */
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
