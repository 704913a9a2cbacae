import { constants, inflateRawSync } from 'node:zlib';

/** As much as a session may have. */
const maxInflated = 1024 * 1024;

interface Guess {
  /** In words, or the name of a format. */
  looks: string;
  /** The option of a store URL that reads it. */
  option?: string;
}

/** By the beginning of the bytes, as text or in hexadecimal, the surest first. */
const signs: readonly (Guess & ({ text: RegExp } | { hex: RegExp }))[] = [
  { looks: 'igbinary', option: 'format=igbinary', hex: /^0000000[12]/ },
  { looks: 'php_serialize', option: 'format=php_serialize', text: /^a:\d+:\{/ },
  {
    looks: 'a serialized object',
    option: 'format=php_serialize',
    text: /^(O:\d+:"[^"]+":\d+:\{|C:\d+:"[^"]+":\d+:\{|E:\d+:")/,
  },
  { looks: 'a serialized string', option: 'layers=unserialize', text: /^s:\d+:"/ },
  { looks: 'json', option: 'format=json', text: /^(\{["}]|\[)/ },
  { looks: 'msgpack', option: 'format=msgpack', hex: /^(8|90|de|df)/ },
  // A name, and a value as serialize() writes it.
  { looks: 'php', option: 'format=php', text: /^[^|]*\|([abCdEOirRs]:|N;)/ },
  { looks: 'zlib compressed data', option: 'layers=zlib', hex: /^78(01|5e|9c|da)/ },
  // Behind the length of what was compressed, as a Memcached object writes it.
  { looks: 'zlib compressed data', hex: /^.{8}78(01|5e|9c|da)/ },
  // {"iv":
  { looks: 'data that Laravel has encrypted', option: 'layers=laravel:KEYFILE', text: /^eyJpdiI6/ },
  { looks: 'base64', option: 'layers=base64', text: /^[A-Za-z0-9+/\s]{16,}={0,2}$/ },
  { looks: 'URL-encoded data', option: 'layers=urldecode', text: /^[\w.~+*-]+%[0-9A-F]{2}[\w.~+*%-]*$/i },
];

/** Guesses the format for the log, so that the operator can set it right. */
export function guessFormat(bytes: Buffer): Guess {
  const known = bySigns(bytes);
  if (known !== undefined) return known;
  // Raw deflated data has no sign of its own, only its contents have. It goes one level deep: some data inflates to itself.
  const inner = deflated(bytes);
  return inner !== null && bySigns(inner) !== undefined
    ? { looks: 'raw deflated data', option: 'layers=inflate' }
    : { looks: 'no known format' };
}

function bySigns(bytes: Buffer): Guess | undefined {
  const text = bytes.toString('latin1', 0, 64);
  const hex = bytes.toString('hex', 0, 8);
  // The length of the first name, the name, a value.
  if (/^([abCdEOirRs]:|N;)/.test(text.slice(1 + (bytes[0] ?? 0)))) {
    return { looks: 'php_binary', option: 'format=php_binary' };
  }
  return signs.find((sign) => ('text' in sign ? sign.text.test(text) : sign.hex.test(hex)));
}

/** The beginning of what PHP's `gzdeflate()` has compressed; null for anything else. */
function deflated(bytes: Buffer): Buffer | null {
  if (bytes.length === 0) return null;
  try {
    // Truncated data will do: only the beginning is looked at.
    return inflateRawSync(bytes, { maxOutputLength: maxInflated, finishFlush: constants.Z_SYNC_FLUSH });
  } catch {
    return null;
  }
}
