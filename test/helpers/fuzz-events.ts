import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { z } from 'zod';
import { requestErrors } from '../../server/wire/errors.ts';
import { answers, type RequestName, requests } from '../../server/wire/events.ts';
import { anyText } from './any-text.ts';
import { words } from './fuzz-packets.ts';

/**
 * JSON text built by hand, so that it can have duplicate keys, `__proto__`, and numbers that JavaScript would not
 * write.
 */
type Json = fc.Arbitrary<string>;

const json = (...values: unknown[]): Json => fc.constantFrom(...values.map((value) => JSON.stringify(value)));
const room: Json = fc.oneof(
  { weight: 5, arbitrary: json('lobby') },
  { weight: 1, arbitrary: json('garden', 'cellar', 'constructor', '__proto__', 'a b', '', 'x'.repeat(65)) },
);
const number: Json = fc.oneof(
  { weight: 4, arbitrary: fc.nat({ max: 60 }).map(String) },
  { weight: 1, arbitrary: fc.integer().map(String) },
  { weight: 1, arbitrary: fc.double({ noNaN: true, noDefaultInfinity: true }).map(String) },
  {
    weight: 1,
    arbitrary: fc.constantFrom('-0', '1e400', '1e9', '9007199254740991', '9007199254740992', '1E2', '5e-324'),
  },
  { weight: 1, arbitrary: fc.constant('9'.repeat(400)) },
);
const string: Json = fc
  .oneof(fc.string({ maxLength: 30 }), fc.string({ unit: 'grapheme', maxLength: 30 }), anyText(30))
  .map((text) => JSON.stringify(text));
const odd: Json = fc.oneof(
  fc.constantFrom(
    '"\\ud800"',
    '"\\udc00\\ud800"',
    '"a\\ud83d"',
    '"\\u0000"',
    '" \\n\\t\\u3000"',
    '"\\u200b\\u2060"',
    '{"__proto__":{"room":"lobby"}}',
    '{"constructor":{"prototype":{"ok":1}}}',
    '{"toString":1,"valueOf":2,"then":3}',
    '{"_placeholder":true,"num":0}',
    '{"toJSON":"x"}',
    '[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]',
    'null',
    'true',
    '{}',
    '[]',
  ),
  fc.constantFrom(20, 500, 20_000).map((depth) => '['.repeat(depth) + ']'.repeat(depth)),
  fc.constantFrom(20, 500, 8000).map((depth) => `${'{"a":'.repeat(depth)}0${'}'.repeat(depth)}`),
  fc.constantFrom(4000, 4001, 60_000).map((size) => `"${'x'.repeat(size)}"`),
);
const whatever: Json = fc.oneof(
  { weight: 3, arbitrary: fc.json({ maxDepth: 4 }) },
  { weight: 3, arbitrary: odd },
  { weight: 2, arbitrary: number },
  { weight: 2, arbitrary: string },
);
const text: Json = fc.oneof(
  { weight: 10, arbitrary: string },
  { weight: 2, arbitrary: odd },
  { weight: 1, arbitrary: json('x'.repeat(4001)) },
);
const clientId: Json = fc.oneof(
  { weight: 5, arbitrary: fc.stringMatching(/^[A-Za-z0-9_-]{1,64}$/).map((id) => `"${id}"`) },
  { weight: 1, arbitrary: json('same', 'same', '', 'a b', 'ü', 'x'.repeat(65)) },
);

const id = json('none', '', 'x'.repeat(65));

/** Values that may be valid, for fields that the schema does not describe completely. */
const fields: Record<string, Json> = {
  room,
  text,
  clientId,
  messages: json('delete', 'keep', ''),
  name: text,
  topic: text,
  query: text,
  reason: text,
  mentions: json([{ user: '2', start: 0, length: 1 }], [{ user: '*', start: 1, length: 900 }], [], [1]),
  cursor: json('', 'AAAA', 'WzEsImEiXQ', '-1', '5'),
  user: json('1', '2', 'nobody', '', 'x'.repeat(65)),
  from: json('1', '2', 'nobody', '', '__proto__', 'x'.repeat(65), { room: 'lobby', seq: 1 }, { room: 1 }),
  users: json(['1', '2'], ['nobody'], [], ['']),
  members: json(['1', '2'], [], [1]),
  rooms: json(['lobby', 'nowhere'], ['lobby', 'lobby'], [], ['a b'], [1]),
  files: json(
    [],
    [{ id: 'abcdefghijklmnopqrstuv' }],
    [{ id: 'abcdefghijklmnopqrstuv', alt: 'x' }],
    [{ id: 'a b' }],
    [1],
  ),
  id,
  held: id,
  token: json('none', 'a b', '', 'x'.repeat(129)),
  endpoint: json('https://fcm.googleapis.com/1', 'https://127.0.0.1/', 'file:///', ''),
  p256dh: json(
    'BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4',
    'AA',
    '',
  ),
  auth: json('BTBZMqHH6r4Tts7J_aSIgg', 'AA', ''),
  key: json('AA', ''),
  page: json('http://localhost:8080/', 'javascript:1', ''),
  mail: json('off', 'daily', 5, 7, 'x', 'a@b.example'),
  question: room,
  to: json('1', '2', 'nobody', ''),
  guest: json('x'.repeat(43), 'x', ''),
  quiet: json(null, { from: '22:00', to: '07:00' }, { from: '24:00', to: '07:00', zone: 'x' }, 1),
  favourite: json(1, null, -1, 0.5, 'x'),
  about: json('order:4711', '', 'a b', { page: '/' }, { page: 'https://a.example/' }),
  card: json('order:4711', '', 'a b'),
  button: json('pay', '', 'a b'),
  zone: json('Europe/Paris', 'UTC', '', 'x'.repeat(65)),
  lang: json('pt-BR', '', 'x y'),
  poll: json({ options: ['a', 'b'] }, { event: { start: 1 } }, { options: ['a', 'a'] }, { event: {} }, 1),
  choice: json([1], [2, 1], [], [0], 1),
  ticket: json('e30.e30.AA', 'a.b', '', 'x'.repeat(4097)),
  picture: json('a'.repeat(32), '', 'x', 1),
  emoji: json('👍', '❤️', '👩🏽‍💻', '', '👍👍', '\u2764', 'x'),
};

function valuesOf(key: string, schema: z.ZodType): Json {
  const { enum: allowed, type } = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' });
  const values = fields[key];
  if (values !== undefined) return values;
  if (allowed !== undefined) return json(...allowed, 'another');
  if (type === 'integer') return number;
  if (type === 'boolean') return json(true, false);
  throw new Error(`fields has no values for ${key}`);
}

const otherKey = fc.oneof(
  fc.constantFrom('', ...words('__proto__ constructor user id seq rev toString _placeholder ok')),
  fc.string({ maxLength: 10 }),
);

function payloadOf(name: RequestName): Json {
  const own = Object.keys(requests[name].shape);
  // Each field is mostly present and valid, because the server rejects a payload for its first wrong field.
  const known = own.map((key) => {
    const schema: z.ZodType = requests[name].shape[key as never];
    const field = valuesOf(key, schema);
    const optional = schema._zod.optin === 'optional';
    return fc
      .oneof(
        { weight: 12, arbitrary: field },
        { weight: 1, arbitrary: whatever },
        { weight: optional ? 12 : 1, arbitrary: fc.constant(null) },
      )
      .map((value) => (value === null ? null : `${JSON.stringify(key)}:${value}`));
  });
  const more = fc.oneof(
    { weight: 4, arbitrary: fc.constant<string[]>([]) },
    {
      weight: 1,
      arbitrary: fc.array(
        fc
          .tuple(fc.oneof(otherKey, fc.constantFrom(...Object.keys(fields))), whatever)
          .map(([key, value]) => `${JSON.stringify(key)}:${value}`),
        { maxLength: 4 },
      ),
    },
  );
  return fc
    .tuple(fc.tuple(...known), more)
    .map(([values, others]) => `{${[...values.filter((value) => value !== null), ...others].join(',')}}`);
}

/** Event names for which the parser of the protocol itself closes the connection. */
const reserved = ['connect', 'connect_error', 'disconnect', 'disconnecting', 'newListener', 'removeListener'];
const known = Object.keys(requests) as RequestName[];
const unknownName: Json = fc
  .oneof(
    json('', ...words('room:explode error __proto__ constructor message ping close')),
    number.filter((value) => Number.isFinite(Number(value))),
    string,
  )
  .filter((name) => !reserved.includes(JSON.parse(name) as string));

export interface EventCase {
  /** The JSON of an event's name, and of its payloads. */
  name: string;
  payloads: string[];
}

export const eventCase: fc.Arbitrary<EventCase> = fc
  .oneof(
    {
      weight: 10,
      arbitrary: fc.constantFrom(...known).chain((name) => fc.tuple(json(name), fc.tuple(payloadOf(name)))),
    },
    { weight: 2, arbitrary: fc.tuple(json(...known), fc.array(whatever, { maxLength: 3 })) },
    { weight: 1, arbitrary: fc.tuple(unknownName, fc.array(whatever, { maxLength: 2 })) },
  )
  .map(([name, payloads]) => ({ name, payloads: payloads as string[] }))
  .filter(fits);

/** The largest packet is 64 KiB. Another test covers larger ones. */
function fits({ name, payloads }: EventCase): boolean {
  return Buffer.byteLength(name + payloads.join()) < 65_000;
}

/** @throws Error if this is not a response of the protocol to the request */
export function checkAnswer({ name }: EventCase, answer: string): void {
  const [result, ...more] = JSON.parse(answer) as Record<string, unknown>[];
  const wrong = () => new Error(`not a response of the protocol: ${answer.slice(0, 1000)}`);
  if (result === undefined || more.length > 0) throw wrong();
  const event = JSON.parse(name) as RequestName;
  if (result.ok === true) {
    // The schema drops fields that it does not know.
    if (!isDeepStrictEqual(answers[event].parse(result.data), result.data)) throw wrong();
    return;
  }
  const { code, message, retryAfterMs: _, current: __, ...rest } = result.error as Record<string, unknown>;
  // `internal` is also a code of the protocol, but means that the server failed.
  if (code === 'internal' || !Object.hasOwn(requestErrors, code as string)) throw wrong();
  if (result.ok !== false || typeof message !== 'string' || Object.keys(rest).length > 0) throw wrong();
  if ((code === 'unknown_event') !== !Object.hasOwn(requests, event)) throw wrong();
}
