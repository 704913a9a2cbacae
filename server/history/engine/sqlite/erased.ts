import { createHmac } from 'node:crypto';
import { closeSync, createReadStream, existsSync, fdatasyncSync, openSync, writeSync } from 'node:fs';
import { createInterface } from 'node:readline';
import type { ErasedMessages } from '../../records/erasure.ts';

/**
 * Returns the path of the list of requested erasures. The list is a file next to the history, because a restored backup
 * may be older than the erasures. Users are named by digests with the history's key, so the file alone reveals no user
 * ID.
 */
const listPath = (path: string) => `${path}-erased`;

/** An entry of the list. `at` is in Unix ms. */
export interface ListedErasure {
  at: number;
  digest: string;
  messages: ErasedMessages;
}

export function erasedDigest(digestKey: Uint8Array, user: string): string {
  return createHmac('sha256', digestKey).update(`erased ${user}`).digest('hex');
}

/** Appends erasures and syncs the file. Call it before they are committed. @throws the system's error */
export function listErased(path: string, erasures: readonly ListedErasure[]): void {
  if (erasures.length === 0) return;
  const file = openSync(listPath(path), 'a', 0o600);
  try {
    // Each starts on a new line, because the last line may be incomplete.
    const lines = erasures.map(({ at, digest, messages }) => `\n${at} ${digest} ${messages}\n`);
    const bytes = Buffer.from(lines.join(''));
    // A nearly full disk writes only a part, without an error.
    for (let written = 0; written < bytes.length; ) written += writeSync(file, bytes, written);
    fdatasyncSync(file);
  } finally {
    closeSync(file);
  }
}

/** Returns the list. It is empty if no user was ever erased. */
export async function listedErasures(path: string): Promise<ListedErasure[]> {
  const listed: ListedErasure[] = [];
  if (!existsSync(listPath(path))) return listed;
  for await (const line of createInterface({ input: createReadStream(listPath(path)) })) {
    const [, at, digest = '', messages] = /^(\d+) ([0-9a-f]{64}) (delete|anonymise)$/.exec(line) ?? [];
    if (at !== undefined) listed.push({ at: Number(at), digest, messages: messages as ErasedMessages });
  }
  return listed;
}

/** Returns what to erase of each user. */
export function erasuresByDigest(
  listed: readonly ListedErasure[],
): Map<string, Omit<ListedErasure, 'digest'>> {
  const found = new Map<string, Omit<ListedErasure, 'digest'>>();
  for (const { digest, at, messages } of listed.toSorted((a, b) => a.at - b.at)) {
    const isDeleted = messages === 'delete' || found.get(digest)?.messages === 'delete';
    found.set(digest, { at, messages: isDeleted ? 'delete' : 'anonymise' });
  }
  return found;
}

/** Identifies an entry. */
export const keyOf = ({ at, digest }: ListedErasure) => `${at} ${digest}`;

/** Returns the entries of a list that another list lacks. */
export function missingIn(other: readonly ListedErasure[], list: readonly ListedErasure[]): ListedErasure[] {
  const known = new Set(other.map(keyOf));
  return list.filter((entry) => !known.has(keyOf(entry)));
}
