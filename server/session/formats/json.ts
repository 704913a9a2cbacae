import { FormatError, PhpFloat, type PhpValue } from './value.ts';

/** Deeper than any session; PHP's own json_decode() stops at 512. */
const maxDepth = 512;

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * Decodes what `json_encode()` wrote. As in PHP, a number with `.`, `e` or `E` is a float, integers are exact
 * at any size, and the last of equal keys counts.
 * @throws FormatError
 */
export function decodeJson(bytes: Uint8Array): PhpValue {
  let text: string;
  try {
    text = utf8.decode(bytes);
  } catch (error) {
    throw new FormatError('not valid UTF-8', { cause: error });
  }
  checkDepth(text);
  // Without a float and without a number of 16 digits everything is what plain JSON makes of it, and sooner.
  const plain = !/\d[.eE]|\d{16}/.test(text);
  try {
    if (plain) return JSON.parse(text) as PhpValue;
    return JSON.parse(text, (_key, value: PhpValue, context?: { source?: string }) => {
      if (typeof value !== 'number' || context?.source === undefined) return value;
      if (/[.eE]/.test(context.source)) return new PhpFloat(value);
      if (Number.isSafeInteger(value)) return value;
      const exact = BigInt(context.source);
      // What does not fit PHP's 64-bit integer becomes a float in PHP too.
      return BigInt.asIntN(64, exact) === exact ? exact : new PhpFloat(value);
    }) as PhpValue;
  } catch (error) {
    // V8's message quotes the text: only the offset is taken over.
    const offset = /position (\d+)/.exec((error as Error).message)?.[1];
    throw new FormatError(offset === undefined ? 'not JSON' : `not JSON at character ${offset}`);
  }
}

/** JSON.parse with a reviver calls itself for each level, so the depth is bounded before. */
function checkDepth(text: string): void {
  let depth = 0;
  let inString = false;
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (inString) {
      if (c === 0x5c) i++;
      else if (c === 0x22) inString = false;
    } else if (c === 0x22) inString = true;
    else if (c === 0x5b || c === 0x7b) {
      if (++depth > maxDepth) throw new FormatError(`nested deeper than ${maxDepth} at character ${i}`);
    } else if (c === 0x5d || c === 0x7d) depth--;
  }
}
