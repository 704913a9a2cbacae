import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip, createGzip } from 'node:zlib';
import { z } from 'zod';
import {
  areValues,
  Inserting,
  RowsDigest,
  type RowsTarget,
  type Snapshot,
} from '../history/engine/portable.ts';
import { Unreadable } from './archive.ts';
import { entries } from './manifest.ts';

const suffix = '.jsonl.gz';

/** Returns the name of the entry with the rows of a table. */
export const tableEntry = (table: string): string => entries.tables + table + suffix;

/**
 * The last line of a table. The rows of a table are compressed with gzip. The first line has the names of the columns,
 * and each further line is a row. All lines are JSON.
 */
const ending = z.object({
  /** The number of rows. */
  rows: z.int().min(0),
  /** See `RowsDigest`. */
  sha256: z.string(),
  /** The next number, if the table numbers its rows. */
  next: z.int().min(1).optional(),
});
type Ending = z.output<typeof ending>;

/** Fast, because the texts of a chat shrink little more at higher levels. */
const level = 3;

/** Maximum characters of a line. A row of the history is far smaller. */
const longestLine = 64 * 1024 * 1024;

/** Yields the compressed rows of a table. @param onRows called with the number of rows of each part */
export async function* packTable(
  snapshot: Snapshot,
  table: string,
  onRows: (rows: number) => void,
): AsyncGenerator<Buffer> {
  const digest = new RowsDigest();
  const columns = snapshot.columns.get(table) ?? [];
  async function* lines() {
    yield `${JSON.stringify(columns)}\n`;
    for await (const rows of snapshot.rows(table)) {
      const texts = rows.map((row) => {
        if (!areValues(columns, row)) throw new Error(`a row of ${table} has a value that cannot be copied`);
        const line = JSON.stringify(row);
        digest.add(line);
        return `${line}\n`;
      });
      yield texts.join('');
      onRows(rows.length);
    }
    const { rows, sha256 } = digest;
    const end: Ending = { rows, sha256, next: snapshot.numbers.get(table) };
    yield `${JSON.stringify(end)}\n`;
  }
  const gzip = createGzip({ level });
  const fed = pipeline(Readable.from(lines()), gzip);
  // Reading `gzip` throws the same error.
  fed.catch(() => {});
  yield* gzip;
}

/** Adds the rows of a table. @throws Unreadable if they are damaged */
export async function unpackTable(
  bytes: AsyncIterable<Buffer>,
  table: string,
  to: RowsTarget,
  onRows: (rows: number) => void,
): Promise<void> {
  const damaged = () => new Unreadable(`the rows of ${table} are damaged`);
  const parsed = (line: string): unknown => {
    try {
      return JSON.parse(line);
    } catch {
      throw damaged();
    }
  };
  const columns = to.columns.get(table) ?? [];
  const inserting = new Inserting(to, table);
  let isNamed = false;
  let end: Ending | undefined;
  for await (const lines of linesOf(bytes, damaged)) {
    for (const line of lines) {
      if (end !== undefined) throw damaged();
      if (!isNamed) {
        if (line !== JSON.stringify(columns)) throw damaged();
        isNamed = true;
        continue;
      }
      const value = parsed(line);
      if (!Array.isArray(value)) {
        end = ending.safeParse(value).data;
        if (end === undefined) throw damaged();
        continue;
      }
      if (!areValues(columns, value)) throw damaged();
      await inserting.insert(value, line);
    }
    onRows(lines.length);
  }
  await inserting.flush();
  if (end?.rows !== inserting.rows || end.sha256 !== inserting.sha256) throw damaged();
  if (end.next !== undefined) await to.setNextNumber(table, end.next);
}

/** Yields the lines of a compressed text, in parts. */
async function* linesOf(bytes: AsyncIterable<Buffer>, damaged: () => Unreadable): AsyncGenerator<string[]> {
  const gunzip = createGunzip();
  const fed = pipeline(Readable.from(bytes), gunzip);
  // Reading `gunzip` throws the same error.
  fed.catch(() => {});
  gunzip.setEncoding('utf8');
  /** The parts of an incomplete line. */
  let rest: string[] = [];
  let characters = 0;
  try {
    for await (const part of gunzip as AsyncIterable<string>) {
      rest.push(part);
      characters += part.length;
      if (!part.includes('\n')) {
        if (characters > longestLine) throw damaged();
        continue;
      }
      const lines = rest.join('').split('\n');
      rest = lines.splice(-1);
      characters = rest[0]?.length ?? 0;
      yield lines;
    }
  } catch (error) {
    throw (error as NodeJS.ErrnoException).code?.startsWith('Z_') ? damaged() : error;
  }
  if (characters > 0) throw damaged();
}
