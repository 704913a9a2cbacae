/** The encodings of a file, usually smallest first. `identity` is the file itself. */
const codings = ['br', 'gzip', 'identity'] as const;
export type Coding = (typeof codings)[number];

const item = /^([^\s;]+)(?:\s*;\s*q\s*=\s*([01](?:\.\d{0,3})?))?$/i;

/**
 * Returns the best available encoding for `Accept-Encoding` (RFC 9110, section 12.5.3): the one with the highest `q`,
 * or the smallest of several. `identity` comes last unless it is named, and is also the fallback if no available
 * encoding is accepted.
 */
export function codingFor(header: string | undefined, there: (coding: Coding) => boolean): Coding {
  const qualities = new Map<string, number>();
  for (const part of (header ?? '').split(',')) {
    const [, name, q = '1'] = item.exec(part.trim()) ?? [];
    if (name !== undefined) qualities.set(name.toLowerCase().replace(/^x-gzip$/, 'gzip'), Number(q));
  }
  let best: Coding = 'identity';
  let highest = qualities.get('identity') ?? 0;
  for (const coding of codings) {
    const quality = qualities.get(coding) ?? (coding === 'identity' ? 0 : (qualities.get('*') ?? 0));
    if (quality === 0 || !there(coding)) continue;
    if (quality > highest || (quality === highest && best === 'identity'))
      [best, highest] = [coding, quality];
  }
  return best;
}
