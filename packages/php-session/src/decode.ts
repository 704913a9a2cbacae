import { decodeStored, formatOf } from './formats/formats.ts';
import { guessFormat } from './formats/guess.ts';
import { FormatError, type PhpValue } from './formats/value.ts';
import { parseLayers } from './layers/layers.ts';
import { readQuery, type SessionSource } from './source.ts';
import { maxSessionBytes, SessionTooLargeError } from './store.ts';

const mostLayers = 4;

/** These bytes are not what the store URL says. `looks`: what they look like; `hint`: how to fix it. */
export class UnreadableError extends FormatError {
  readonly looks: string;
  readonly hint: string | undefined;

  constructor(cause: FormatError, format: string, looks: string, hint: string | undefined) {
    super(`the session cannot be read as ${format}: ${cause.message}; ${looks}`, { cause });
    this.name = 'UnreadableError';
    this.looks = looks;
    this.hint = hint;
  }
}

/**
 * Takes off the layers and decodes what is inside; undefined where nothing is.
 * @throws UnreadableError, SessionTooLargeError without anything of the content
 */
export function decodeSession(source: SessionSource, id: string, bytes: Buffer): PhpValue | undefined {
  const inner = unwrapped(source, id, bytes);
  try {
    return inner.length === 0 ? undefined : decodeStored(source.format, inner);
  } catch (error) {
    throw unreadable(error, source, inner);
  }
}

/** Takes off all layers. @throws UnreadableError, SessionTooLargeError */
export function unwrapped(source: SessionSource, id: string, bytes: Buffer): Buffer {
  if (bytes.length > maxSessionBytes) throw new SessionTooLargeError();
  let inner = bytes;
  let taken = 0;
  try {
    for (const layer of source.layers) {
      if (inner.length > 0) inner = layer.unwrap(inner, id);
      taken++;
    }
    return inner;
  } catch (error) {
    throw unreadable(error, source, inner, taken);
  }
}

/** An error of a layer or a decoder, with what is wrong; any other error as it is. */
export function unreadable(
  error: unknown,
  source: SessionSource,
  inner: Buffer,
  taken = source.layers.length,
): unknown {
  if (!(error instanceof FormatError) || error instanceof SessionTooLargeError) return error;
  const { looks } = guessFormat(inner);
  return new UnreadableError(
    error,
    source.format,
    `the bytes look like ${looks}`,
    hint(error, source, inner, taken),
  );
}

/**
 * The options that the store URL lacks, or what else keeps the session from being read.
 * @param inner what is left of the session without its first layers
 * @param taken how many these are
 */
function hint(
  { explanation }: FormatError,
  source: SessionSource,
  inner: Buffer,
  taken: number,
): string | undefined {
  const given = (readQuery(source.options).get('layers') ?? '').split(',').filter((name) => name !== '');
  const { layers: more, option } = guessAll(inner);
  const layers = [...given.slice(0, taken), ...more].join(',');
  const options = [
    layers === given.join(',') || layers === '' ? '' : `layers=${layers}`,
    option === `format=${formatOf(source.format, inner)}` ? '' : (option ?? ''),
  ].filter((one) => one !== '');
  if (options.length > 0) return `the store URL has to say ${options.join('&')} (CHAT_SESSION_STORE)`;
  if (explanation !== undefined || option === undefined) return explanation;
  return taken === given.length
    ? 'the format is right, but this session is cut off or damaged'
    : 'the store URL has to say fewer layers= (CHAT_SESSION_STORE)';
}

/** The layers round a session as far as they need no key, and the `format=` of what is in them. */
function guessAll(bytes: Buffer): { layers: string[]; option: string | undefined } {
  const layers: string[] = [];
  let inner = bytes;
  for (;;) {
    const { option } = guessFormat(inner);
    const name = option?.startsWith('layers=') ? option.slice('layers='.length) : undefined;
    if (name === undefined) return { layers, option };
    layers.push(name);
    // With a key nobody knows what is in it, and no site has more layers than these.
    if (name.includes(':') || layers.length === mostLayers) return { layers, option: undefined };
    try {
      inner = parseLayers(name)[0]?.unwrap(inner, '') ?? inner;
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
      return { layers, option: undefined };
    }
  }
}
