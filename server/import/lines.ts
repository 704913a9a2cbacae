import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { z } from 'zod';
import { CommandProblem, exit } from '../program/problem.ts';
import { importedId as id, importedContent } from '../wire/content.ts';
import { roomName, topic } from '../wire/events.ts';

const time = z
  .int()
  .min(0)
  .refine((at) => at <= Date.now(), { message: 'it is in the future' });
const name = z.string().min(1).max(250);

/**
 * A line of an import, as docs/operate/import.md describes it. A room comes before its members and messages, and its
 * messages are sorted by time.
 */
const line = z.discriminatedUnion('type', [
  z.object({ type: z.literal('user'), id, name }),
  z.object({
    type: z.literal('room'),
    id,
    name: roomName,
    kind: z.enum(['public', 'private']).default('private'),
    topic: topic.optional(),
  }),
  z.object({
    type: z.literal('member'),
    room: id,
    user: id,
    role: z.enum(['owner', 'moderator', 'member']).default('member'),
  }),
  z.object({
    type: z.literal('message'),
    id,
    room: id,
    user: id,
    /** Milliseconds since 1970. */
    at: time,
    ...importedContent,
  }),
]);
export type Line = z.output<typeof line>;
/** A line as a converter yields it, in which fields with a default may be missing. */
export type GivenLine = z.input<typeof line>;

/** A line that is not valid. `reason` does not contain the place. */
export class LineProblem extends CommandProblem {
  readonly reason: string;

  constructor(place: string, reason: string) {
    super(exit.data, `${place}: ${reason}`);
    this.reason = reason;
  }
}

/**
 * Parses JSON and omits nulls, because exporters write `null`, an empty list or nothing for a missing value.
 * @throws LineProblem for text that is not JSON
 */
export function parseJson(text: string, place: string): unknown {
  try {
    // Some programs write a byte order mark.
    return JSON.parse(text.replace(/^\ufeff/, ''), (_, value: unknown) =>
      value === null ? undefined : value,
    );
  } catch {
    throw new LineProblem(place, 'it is not valid JSON');
  }
}

/** Checks and completes a line. @throws LineProblem naming the line */
export function lineFrom(given: unknown, place: string): Line {
  const { data, error } = line.safeParse(given);
  if (data !== undefined) return data;
  const [issue] = error.issues;
  const field = issue?.path.join('.') ?? '';
  throw new LineProblem(place, `${field === '' ? '' : `${field}: `}${issue?.message}`);
}

/** Yields the lines of a file of JSON lines, without blank lines. */
export async function* linesOf(path: string): AsyncGenerator<{ given: unknown; place: string }> {
  let n = 0;
  for await (const text of createInterface({ input: createReadStream(path), crlfDelay: Infinity })) {
    n++;
    if (text.trim() === '') continue;
    const place = `${path}, line ${n}`;
    yield { given: parseJson(text, place), place };
  }
}
