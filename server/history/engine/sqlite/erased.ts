import { createHash, createHmac } from 'node:crypto';
import { closeSync, createReadStream, existsSync, fdatasyncSync, openSync, writeSync } from 'node:fs';
import { createInterface } from 'node:readline';
import type { ErasedMessages } from '../../erasure/erasure.ts';

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

/** A fingerprint of the list at one moment, by its length and SHA-256. */
export interface ListedBefore {
  bytes: number;
  sha256: string;
}

/** Returns the fingerprint of the list. @param most maximum bytes to hash; by default all */
export async function listedNow(path: string, most = Number.POSITIVE_INFINITY): Promise<ListedBefore> {
  const hash = createHash('sha256');
  let bytes = 0;
  if (existsSync(listPath(path)) && most > 0) {
    for await (const part of createReadStream(listPath(path), { end: most - 1 })) {
      hash.update(part as Buffer);
      bytes += (part as Buffer).length;
    }
  }
  return { bytes, sha256: hash.digest('hex') };
}

/**
 * Returns the erasures since a time, by digest.
 * @param before fingerprint of an earlier list. If this list starts with it, all later entries are included, whatever
 * their time.
 */
export async function erasedSince(
  path: string,
  since: number,
  before?: ListedBefore,
): Promise<Map<string, ListedErasure>> {
  const found = new Map<string, ListedErasure>();
  if (!existsSync(listPath(path))) return found;
  const isSame = before !== undefined && (await listedNow(path, before.bytes)).sha256 === before.sha256;
  const coveredBytes = isSame ? before.bytes : Number.POSITIVE_INFINITY;
  let bytes = 0;
  for await (const line of createInterface({ input: createReadStream(listPath(path)) })) {
    bytes += line.length + 1;
    const [, at, digest = '', messages] = /^(\d+) ([0-9a-f]{64}) (delete|anonymise)$/.exec(line) ?? [];
    if (at === undefined || (Number(at) < since && bytes <= coveredBytes)) continue;
    const isDeleted = messages === 'delete' || found.get(digest)?.messages === 'delete';
    found.set(digest, { at: Number(at), digest, messages: isDeleted ? 'delete' : 'anonymise' });
  }
  return found;
}
