import { PhpBytes, type PhpValue } from './formats/value.ts';

/** Decodes a text from the character set of the session. Returns PhpBytes if it is invalid, and other values unchanged. */
export function decodeText(value: PhpValue, charset: string | undefined): PhpValue {
  const bytes = bytesOf(value);
  if (charset === undefined || bytes === null) return value;
  return decoderOf(charset)(bytes) ?? new PhpBytes(bytes);
}

/**
 * Whether the bytes of a decoded text are the ones that an encoder writes. Decoders accept more: in Shift_JIS both FBFC
 * and EEE0 are 髙, so two IDs of a site would become one.
 * @param value the value that `decodeText` decoded to `text`
 */
export function isCanonical(value: PhpValue, text: string, charset: string | undefined): boolean {
  const bytes = bytesOf(value);
  if (charset === undefined || bytes === null) return true;
  const given = bytes.toString('latin1');
  if (given === text && /^[ -~]*$/.test(text)) return true;
  const codes = codesOf(charset);
  let at = 0;
  for (const character of text) {
    const code = codes.get(character) ?? longCode(given.slice(at, at + 4), character, charset);
    if (code === undefined || !given.startsWith(code, at)) return false;
    at += code.length;
  }
  return at === given.length;
}

// A text in another character set may happen to be valid UTF-8, so strings are decoded again.
const bytesOf = (value: PhpValue): Buffer | null =>
  value instanceof PhpBytes ? value.bytes : typeof value === 'string' ? Buffer.from(value) : null;

function decoderOf(charset: string): (bytes: Uint8Array) => string | undefined {
  const decoder = new TextDecoder(charset, { fatal: true, ignoreBOM: true });
  return (bytes) => {
    try {
      return decoder.decode(bytes);
    } catch {
      return undefined;
    }
  };
}

/** Codes that the encoders of https://encoding.spec.whatwg.org/ write only for characters without another code. */
const avoided: Readonly<Record<string, RegExp>> = {
  shift_jis: /^[\xed-\xef]/,
  big5: /^\xa2[\xa4-\xce]/,
  gb18030: /^\x80/,
};

const cache = new Map<string, ReadonlyMap<string, string>>();

/**
 * Returns the code of each character as Latin-1 text: the shortest, then the lowest. Codes of four bytes and those after
 * an escape sequence are missing. Takes up to 100 ms once per character set.
 */
function codesOf(charset: string): ReadonlyMap<string, string> {
  const cached = cache.get(charset);
  if (cached !== undefined) return cached;
  const decode = decoderOf(charset);
  const codes = new Map<string, string>();
  const isAvoided = (code: string) => avoided[charset]?.test(code);
  /** @returns whether the bytes are a character */
  function add(...bytes: number[]): boolean {
    const character = decode(Uint8Array.from(bytes));
    if (character === undefined) return false;
    const before = codes.get(character);
    if (before === undefined || isAvoided(before)) codes.set(character, String.fromCharCode(...bytes));
    return true;
  }
  const all = Array.from({ length: 256 }, (_, byte) => byte);
  const leads = all.filter((byte) => !add(byte));
  for (const lead of leads) for (const byte of all) add(lead, byte);
  if (charset === 'euc-jp') for (const second of all) for (const third of all) add(0x8f, second, third);
  cache.set(charset, codes);
  return codes;
}

/** Returns the code if it is the character's code of four bytes, which only gb18030 has. */
const longCode = (code: string, character: string, charset: string): string | undefined =>
  charset === 'gb18030' && decoderOf(charset)(Buffer.from(code, 'latin1')) === character ? code : undefined;
