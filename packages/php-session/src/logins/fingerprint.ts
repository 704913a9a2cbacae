import { readQuery } from '../source.ts';

/** The same text for the same values, on every machine. */
export const asText = (value: unknown): string => JSON.stringify(comparable(value));

/** @param key of an object, whose value it is */
function comparable(value: unknown, key = ''): unknown {
  if (typeof value === 'string') return key === 'store' || key === 'url' ? withoutPlace(value) : value;
  if (value instanceof Uint8Array) return { bytes: Buffer.from(value).toString('base64') };
  if (value instanceof Set) return [...value].sort();
  if (Array.isArray(value)) return value.map((each) => comparable(each));
  if (typeof value !== 'object' || value === null) return value;
  const entries = value instanceof Map ? [...value] : Object.entries(value);
  return entries
    .filter(([name]) => name !== 'database')
    .sort(([one], [other]) => (one < other ? -1 : 1))
    .map(([name, each]) => [name, comparable(each, name)])
    .filter(([, each]) => each !== undefined);
}

/** Options of the way to a store, and of PHP's own account. */
const ofPlace = ['socket', 'tls', 'ca', 'auth_file', 'timeout', 'owner'];

/** A store URL without the place of the sessions: two such texts are equal if the sessions are read alike. */
function withoutPlace(text: string): string {
  const [, protocol = '', query = ''] = /^([a-z-]+):[^?]*(?:\?(.*))?$/s.exec(text) ?? [];
  const options = readQuery(query);
  for (const name of ofPlace) options.delete(name);
  options.sort();
  return `${protocol}?${options}`;
}
