import { formats } from './formats/formats.ts';
import { guessFormat } from './formats/guess.ts';
import { FormatError, type PhpValue } from './formats/value.ts';
import type { SessionSource } from './source.ts';

/** These bytes are not what the store URL says. `looks`: what they look like; `hint`: what would mend it. */
export class UnreadableError extends FormatError {
  readonly looks: string;
  readonly hint: string | undefined;

  constructor(cause: FormatError, looks: string, hint: string | undefined) {
    super(`${cause.message}; ${looks}`, { cause });
    this.name = 'UnreadableError';
    this.looks = looks;
    this.hint = hint;
  }
}

/**
 * Takes off the layers and decodes what is inside; undefined where nothing is.
 * @throws UnreadableError without anything of the content
 */
export function decodeSession(source: SessionSource, id: string, bytes: Buffer): PhpValue | undefined {
  let inner = bytes;
  let bare = false;
  try {
    for (const layer of source.layers) if (inner.length > 0) inner = layer.unwrap(inner, id);
    bare = true;
    return inner.length === 0 ? undefined : formats[source.format](inner);
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    const { looks, option } = guessFormat(inner);
    throw new UnreadableError(error, `the bytes look like ${looks}`, hint(source, option, bare));
  }
}

function hint(source: SessionSource, option: string | undefined, bare: boolean): string | undefined {
  if (option === undefined) return undefined;
  if (option !== `format=${source.format}`) return `the store URL has to say ${option}`;
  return bare
    ? 'the format is right, but this session is cut off or damaged'
    : 'the store URL has to say fewer layers=';
}
