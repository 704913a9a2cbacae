import { constants, inflateRawSync } from 'node:zlib';

/** The size limit of a session. */
const maxInflatedBytes = 1024 * 1024;

interface Guess {
  /** A description, or the name of a format. */
  looks: string;
  /** The option of the store URL for such data. */
  option?: string;
}

/** Matches the start of a session in the format `php_serialize`, an array, as text. */
export const startOfPhpSerialize = /^a:\d+:\{/;

/** Patterns for the start of the bytes as text or in hexadecimal, the most certain first. */
const signatures: readonly (Guess & ({ text: RegExp } | { hex: RegExp }))[] = [
  { looks: 'igbinary', option: 'format=igbinary', hex: /^0000000[12]/ },
  { looks: 'php_serialize', option: 'format=php_serialize', text: startOfPhpSerialize },
  {
    looks: 'a serialized object',
    option: 'format=php_serialize',
    text: /^(O:\d+:"[^"]+":\d+:\{|C:\d+:"[^"]+":\d+:\{|E:\d+:")/,
  },
  { looks: 'a serialized string', option: 'layers=unserialize', text: /^s:\d+:"/ },
  { looks: 'json', option: 'format=json', text: /^(\{["}]|\[)/ },
  { looks: 'msgpack', option: 'format=msgpack', hex: /^(8|90|de|df)/ },
  // A name and a value in serialize() format.
  { looks: 'php', option: 'format=php', text: /^[^|]*\|([abCdEOirRs]:|N;)/ },
  { looks: 'zlib compressed data', option: 'layers=zlib', hex: /^78(01|5e|9c|da)/ },
  // A Memcached object writes the length before the data.
  { looks: 'zlib compressed data', hex: /^.{8}78(01|5e|9c|da)/ },
  // {"iv":
  { looks: 'data that Laravel has encrypted', option: 'layers=laravel:KEYFILE', text: /^eyJpdiI6/ },
  { looks: 'base64', option: 'layers=base64', text: /^[A-Za-z0-9+/\s]{16,}={0,2}$/ },
  { looks: 'URL-encoded data', option: 'layers=urldecode', text: /^[\w.~+*-]+%[0-9A-F]{2}[\w.~+*%-]*$/i },
];

/** Guesses the format, for a hint in the log. */
export function guessFormat(bytes: Buffer): Guess {
  const guess = matchSignatures(bytes);
  if (guess !== undefined) return guess;
  // Raw deflated data has no signature, but its content may have one. Not recursive, because some data inflates to itself.
  const inner = inflateStart(bytes);
  return inner !== null && matchSignatures(inner) !== undefined
    ? { looks: 'raw deflated data', option: 'layers=inflate' }
    : { looks: 'no known format' };
}

function matchSignatures(bytes: Buffer): Guess | undefined {
  const text = bytes.toString('latin1', 0, 64);
  const hex = bytes.toString('hex', 0, 8);
  // The session begins with the length of the first name, the name and a value.
  if (/^([abCdEOirRs]:|N;)/.test(text.slice(1 + (bytes[0] ?? 0)))) {
    return { looks: 'php_binary', option: 'format=php_binary' };
  }
  return signatures.find((sign) => ('text' in sign ? sign.text.test(text) : sign.hex.test(hex)));
}

/** Inflates the output of PHP's `gzdeflate()`. Returns null for other data. */
function inflateStart(bytes: Buffer): Buffer | null {
  if (bytes.length === 0) return null;
  try {
    // Accepts truncated data, because the start is enough.
    return inflateRawSync(bytes, { maxOutputLength: maxInflatedBytes, finishFlush: constants.Z_SYNC_FLUSH });
  } catch {
    return null;
  }
}
