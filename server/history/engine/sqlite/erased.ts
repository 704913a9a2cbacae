import { createHash, createHmac } from 'node:crypto';
import { closeSync, createReadStream, existsSync, fdatasyncSync, openSync, writeSync } from 'node:fs';
import { createInterface } from 'node:readline';
import type { ErasedMessages } from '../../erasure/erasure.ts';

/**
 * The erasures that were asked for, beside the history and not in it: a backup that is restored may be from before them.
 * Users are named by digests with the key of the history, so whoever has this file alone learns nobody's id.
 */
const erasedOf = (path: string) => `${path}-erased`;

/** An erasure in this list. `at`: milliseconds of the epoch. */
export interface ListedErasure {
  at: number;
  digest: string;
  messages: ErasedMessages;
}

export function erasedDigest(digestKey: Uint8Array, user: string): string {
  return createHmac('sha256', digestKey).update(`erased ${user}`).digest('hex');
}

/** Appends erasures, synced. To be called before they are committed. @throws the system's error */
export function listErased(path: string, erasures: readonly ListedErasure[]): void {
  if (erasures.length === 0) return;
  const file = openSync(erasedOf(path), 'a', 0o600);
  try {
    // On new lines: the last one may be torn.
    const lines = erasures.map(({ at, digest, messages }) => `\n${at} ${digest} ${messages}\n`);
    const bytes = Buffer.from(lines.join(''));
    // A disk that is nearly full takes a part of them, without an error.
    for (let written = 0; written < bytes.length; ) written += writeSync(file, bytes, written);
    fdatasyncSync(file);
  } finally {
    closeSync(file);
  }
}

/** The list as it was at one moment: so many bytes, with this SHA-256. */
export interface ListedBefore {
  bytes: number;
  sha256: string;
}

/** @param most of its bytes; all if left out */
export async function listedNow(path: string, most = Number.POSITIVE_INFINITY): Promise<ListedBefore> {
  const hash = createHash('sha256');
  let bytes = 0;
  if (existsSync(erasedOf(path)) && most > 0) {
    for await (const part of createReadStream(erasedOf(path), { end: most - 1 })) {
      hash.update(part as Buffer);
      bytes += (part as Buffer).length;
    }
  }
  return { bytes, sha256: hash.digest('hex') };
}

/**
 * The listed erasures since that time, by their digests.
 * @param before if the list begins so, all that are behind that, too, whatever the clock said
 */
export async function erasedSince(
  path: string,
  since: number,
  before?: ListedBefore,
): Promise<Map<string, ListedErasure>> {
  const found = new Map<string, ListedErasure>();
  if (!existsSync(erasedOf(path))) return found;
  const isSame = before !== undefined && (await listedNow(path, before.bytes)).sha256 === before.sha256;
  const known = isSame ? before.bytes : Number.POSITIVE_INFINITY;
  let bytes = 0;
  for await (const line of createInterface({ input: createReadStream(erasedOf(path)) })) {
    bytes += line.length + 1;
    const [, at, digest = '', messages] = /^(\d+) ([0-9a-f]{64}) (delete|anonymise)$/.exec(line) ?? [];
    if (at === undefined || (Number(at) < since && bytes <= known)) continue;
    const isDeleted = messages === 'delete' || found.get(digest)?.messages === 'delete';
    found.set(digest, { at: Number(at), digest, messages: isDeleted ? 'delete' : 'anonymise' });
  }
  return found;
}
