import { readFileSync } from 'node:fs';
import { z } from 'zod';

/** The messages and shapes of docs/asyncapi.json, with references as JSON Schema has them. */
const { messages, schemas } = JSON.parse(
  readFileSync(new URL('../../docs/asyncapi.json', import.meta.url), 'utf8').replaceAll(
    '#/components/schemas/',
    '#/$defs/',
  ),
).components as {
  messages: Record<string, { name: string; payload: object }>;
  schemas: Record<string, z.core.JSONSchema.JSONSchema>;
};
const payloads = new Map(Object.values(messages).map(({ name, payload }) => [name, payload]));
const cached = new Map<string, z.ZodType>();

/** Returns how a frame differs from docs/asyncapi.json; undefined if it does not. */
export function faultOf(name: string, payload: unknown): string | undefined {
  const declared = payloads.get(name);
  if (declared === undefined) return `${name} is not declared`;
  const schema = cached.get(name) ?? z.fromJSONSchema({ ...declared, $defs: schemas });
  cached.set(name, schema);
  const { error } = schema.safeParse(payload);
  return error && `${name}: ${z.prettifyError(error)}`;
}

/** Fails the test run if a frame differs from docs/asyncapi.json. The caller may be code that catches errors. */
function check(name: string, payload: unknown): void {
  const fault = faultOf(name, payload);
  if (fault === undefined) return;
  const error = new Error(`docs/asyncapi.json: ${fault}`);
  setImmediate(() => {
    throw error;
  });
}

/** Checks an event of the server. */
export const checkEvent = check;

/** Checks an answer, and the accepted request. Requests that only tests send are not declared. */
export function checkRequest(name: string, payload: unknown, answer: unknown): void {
  if (!payloads.has(name)) return;
  check(`${name}:answer`, answer);
  if ((answer as { ok: boolean }).ok) check(name, payload);
}
