import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { z } from 'zod';
import { CommandProblem, exit } from '../program/problem.ts';
import { roomName, topic } from '../wire/events.ts';

const id = z.string().min(1).max(200);
/** Nothing was written in the future. */
const time = z
  .int()
  .min(0)
  .refine((at) => at <= Date.now(), { message: 'it is in the future' });
const name = z.string().min(1).max(250);

/**
 * A line of an import, as docs/operate.md describes it. A room and its members stand before its messages, and these in the
 * order of their times.
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
    text: z.string().default(''),
    replyTo: id.optional(),
    /** Paths relative to the file of the import. */
    files: z
      .array(z.object({ path: z.string().min(1), name: z.string().min(1).optional() }))
      .max(10)
      .optional(),
  }),
]);
export type Line = z.output<typeof line>;
/** As a converter gives it: what is usual may be left out. */
export type GivenLine = z.input<typeof line>;

/** A line that cannot be imported. `reason` is without the place. */
export class LineProblem extends CommandProblem {
  readonly reason: string;

  constructor(place: string, reason: string) {
    super(exit.data, `${place}: ${reason}`);
    this.reason = reason;
  }
}

/**
 * Parses JSON without its nulls: exporters write `null`, an empty list or nothing for the same thing.
 * @throws LineProblem for text that is not JSON
 */
export function parseJson(text: string, place: string): unknown {
  try {
    return JSON.parse(text, (_, value: unknown) => (value === null ? undefined : value));
  } catch {
    throw new LineProblem(place, 'it is not JSON');
  }
}

/** @throws LineProblem naming the line */
export function lineFrom(given: unknown, place: string): Line {
  const { data, error } = line.safeParse(given);
  if (data !== undefined) return data;
  const [issue] = error.issues;
  const field = issue?.path.join('.') ?? '';
  throw new LineProblem(place, `${field === '' ? '' : `${field}: `}${issue?.message}`);
}

/** The lines of a file of JSON lines. */
export async function* linesOf(path: string): AsyncGenerator<{ given: unknown; place: string }> {
  let n = 0;
  for await (const text of createInterface({ input: createReadStream(path), crlfDelay: Infinity })) {
    n++;
    if (text.trim() === '') continue;
    const place = `${path}, line ${n}`;
    yield { given: parseJson(text, place), place };
  }
}
