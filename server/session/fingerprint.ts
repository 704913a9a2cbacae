import { withoutPlace } from './store-url.ts';

/** Digests of what was read of a site, by which servers compare it. */
export interface Fingerprint {
  /** Of the operator's settings beside the folder. With others the configuration may rightly be read otherwise. */
  settings: string;
  /** Of everything that counts in the configuration, but for the places of databases and of stores. */
  site: string;
}

/** Nobody can find out the text from what it returns. */
export type Digest = (text: string) => string;

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
