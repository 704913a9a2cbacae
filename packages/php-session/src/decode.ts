import { decodeStored, detectFormat } from './formats/formats.ts';
import { guessFormat } from './formats/guess.ts';
import { FormatError, type PhpValue } from './formats/value.ts';
import { parseLayers } from './layers/layers.ts';
import { option } from './names.ts';
import { readQuery, type SessionSource } from './source.ts';
import { maxSessionBytes, SessionTooLargeError } from './store.ts';

const maxGuessedLayers = 4;

/** The bytes do not have the layers and format of the store URL. */
export class UnreadableError extends FormatError {
  /** What the bytes look like. */
  readonly looks: string;
  /** What to change in the store URL, or another cause. */
  readonly hint: string | undefined;

  constructor(cause: FormatError, format: string, looks: string, hint: string | undefined) {
    super(`the session cannot be read as ${format}: ${cause.message}; ${looks}`, { cause });
    this.name = 'UnreadableError';
    this.looks = looks;
    this.hint = hint;
  }
}

/**
 * Removes the layers and decodes the content. Undefined if the session is empty.
 * @throws UnreadableError, SessionTooLargeError; their messages contain no session content
 */
export function decodeSession(source: SessionSource, id: string, bytes: Buffer): PhpValue | undefined {
  const inner = removeLayers(source, id, bytes);
  try {
    return inner.length === 0 ? undefined : decodeStored(source.format, inner);
  } catch (error) {
    throw toUnreadable(error, source, inner);
  }
}

/** Removes the layers of the store URL. @throws UnreadableError, SessionTooLargeError */
export function removeLayers(source: SessionSource, id: string, bytes: Buffer): Buffer {
  if (bytes.length > maxSessionBytes) throw new SessionTooLargeError();
  let inner = bytes;
  let removed = 0;
  try {
    for (const layer of source.layers) {
      if (inner.length > 0) inner = layer.unwrap(inner, id);
      removed++;
    }
    return inner;
  } catch (error) {
    throw toUnreadable(error, source, inner, removed);
  }
}

/** Converts the error of a layer or a decoder. Returns other errors unchanged. */
export function toUnreadable(
  error: unknown,
  source: SessionSource,
  inner: Buffer,
  removed = source.layers.length,
): unknown {
  if (!(error instanceof FormatError) || error instanceof SessionTooLargeError) return error;
  const { looks } = guessFormat(inner);
  return new UnreadableError(
    error,
    source.format,
    `the bytes look like ${looks}`,
    hint(error, source, inner, removed),
  );
}

/**
 * Suggests options for the store URL, or names another cause of the error. Undefined if unknown.
 * @param inner the session without its first `removed` layers
 */
function hint(
  { explanation }: FormatError,
  source: SessionSource,
  inner: Buffer,
  removed: number,
): string | undefined {
  const given = (readQuery(source.options).get('layers') ?? '').split(',').filter((name) => name !== '');
  const { layers: more, option: formatOption } = guessAll(inner);
  const layers = [...given.slice(0, removed), ...more].join(',');
  const options = [
    layers === given.join(',') || layers === '' ? '' : `layers=${layers}`,
    formatOption === `format=${detectFormat(source.format, inner)}` ? '' : (formatOption ?? ''),
  ].filter((text) => text !== '');
  if (options.length > 0) return `the store URL must have ${options.join('&')} (${option('store')})`;
  if (explanation !== undefined || formatOption === undefined) return explanation;
  return removed === given.length
    ? 'the format is right, but this session is cut off or damaged'
    : `the store URL must have fewer layers= (${option('store')})`;
}

/** Guesses the layers up to the first one with a key, and the `format=` of the content. */
function guessAll(bytes: Buffer): { layers: string[]; option: string | undefined } {
  const layers: string[] = [];
  let inner = bytes;
  for (;;) {
    const { option: guess } = guessFormat(inner);
    const name = guess?.startsWith('layers=') ? guess.slice('layers='.length) : undefined;
    if (name === undefined) return { layers, option: guess };
    layers.push(name);
    // The content of a layer with a key is unknown.
    if (name.includes(':') || layers.length === maxGuessedLayers) return { layers, option: undefined };
    try {
      inner = parseLayers(name)[0]?.unwrap(inner, '') ?? inner;
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
      return { layers, option: undefined };
    }
  }
}
