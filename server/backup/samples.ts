import { randomInt } from 'node:crypto';
import type { ReadOnlyHistory } from '../history/history.ts';

type Reading = Pick<ReadOnlyHistory, 'read'>;

/** Rooms and searches that are compared, and messages of a page. */
const maxRooms = 20;
const maxSearches = 10;
const pageSize = 50;

/** No server runs during the samples, so they end after this time, in ms. */
const maxMs = 2000;

/** A search of a history without a search index reads many messages, and returns short pages. */
const maxPages = 50;

/**
 * Compares pages of random rooms, and searches for their words, with the reads that the server uses. The rows were
 * compared before, so this only detects that a database reads or searches them in another way.
 * @param rooms IDs of rooms
 * @throws Error naming what differs
 */
export async function compareSamples(old: Reading, copy: Reading, rooms: readonly string[]): Promise<void> {
  const end = performance.now() + maxMs;
  let searches = 0;
  for (const room of sampleOf(rooms, maxRooms)) {
    const texts = await comparePages(old, copy, room);
    const text = texts[texts.length > 0 ? randomInt(texts.length) : 0];
    const query = text?.match(/[\p{L}\p{N}]+/gu)?.toSorted((a, b) => b.length - a.length)[0];
    if (query !== undefined && searches < maxSearches) {
      searches++;
      const found = await Promise.all([old, copy].map((one) => search(one, room, query)));
      if (!found.includes(undefined)) requireSame(found, 'a search');
    }
    if (performance.now() > end) return;
  }
}

/** @returns the texts of the messages */
async function comparePages(old: Reading, copy: Reading, room: string): Promise<string[]> {
  const both = async <T>(what: string, read: (of: Reading['read']) => Promise<T>): Promise<T> => {
    const answers = await Promise.all([read(old.read), read(copy.read)]);
    requireSame(answers, what);
    return answers[0];
  };
  const found = await both('a room', (read) => read.room({ room }));
  if (found === undefined || found === null) return [];
  await both('the pins of a room', (read) => read.pins({ room }));
  const ends = found.lastSeq > 0 ? [found.lastSeq, randomInt(found.lastSeq) + 1] : [];
  const texts: string[] = [];
  for (const upTo of ends) {
    const page = await both('a page of messages', (read) => read.newest({ room, upTo, limit: pageSize }));
    texts.push(...page.messages.map(({ text }) => text));
  }
  return texts;
}

/** Returns the first page of results, or undefined if it takes too many reads. */
async function search({ read }: Reading, room: string, query: string): Promise<unknown[] | undefined> {
  const found: unknown[] = [];
  let from: string | undefined;
  for (let page = 0; page < maxPages; page++) {
    const answer = await read.search({ query, rooms: [room], everyPublic: false, limit: pageSize, from });
    found.push(...answer.messages);
    from = answer.next;
    if (from === undefined || found.length >= pageSize) return found.slice(0, pageSize);
  }
  return undefined;
}

function requireSame(answers: readonly unknown[], what: string): void {
  const [old, copy] = answers.map((answer) => JSON.stringify(answer));
  if (old !== copy) throw new Error(`${what} of the copy differs, although its rows are the same`);
}

function sampleOf(all: readonly string[], size: number): string[] {
  const left = [...all];
  const sample: string[] = [];
  while (sample.length < size && left.length > 0) {
    const at = randomInt(left.length);
    sample.push(left[at] as string);
    left[at] = left.at(-1) as string;
    left.pop();
  }
  return sample;
}
