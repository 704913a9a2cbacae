import { readQuery } from '../source.ts';

/** Converts equal values to the same text on every machine. */
export const asText = (value: unknown): string => JSON.stringify(toComparable(value));

/** @param key the key of the value in its object */
function toComparable(value: unknown, key = ''): unknown {
  if (typeof value === 'string') return key === 'store' || key === 'url' ? removePlace(value) : value;
  if (value instanceof Uint8Array) return { bytes: Buffer.from(value).toString('base64') };
  if (value instanceof Set) return [...value].sort();
  if (Array.isArray(value)) return value.map((each) => toComparable(each));
  if (typeof value !== 'object' || value === null) return value;
  const entries = value instanceof Map ? [...value] : Object.entries(value);
  return entries
    .filter(([name]) => name !== 'database')
    .sort(([one], [other]) => (one < other ? -1 : 1))
    .map(([name, each]) => [name, toComparable(each, name)])
    .filter(([, each]) => each !== undefined);
}

/** Options of the connection to a store, and the account of PHP. */
const placeOptions = ['socket', 'tls', 'ca', 'auth_file', 'timeout', 'owner'];

/** Removes the place of the sessions from a store URL. The results are equal if sessions are read in the same way. */
function removePlace(text: string): string {
  const [, protocol = '', query = ''] = /^([a-z-]+):[^?]*(?:\?(.*))?$/s.exec(text) ?? [];
  const options = readQuery(query);
  for (const name of placeOptions) options.delete(name);
  options.sort();
  return `${protocol}?${options}`;
}
