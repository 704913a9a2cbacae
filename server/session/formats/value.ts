/**
 * What a session can hold, as every format decodes it. Integers are exact: a number, or a bigint where a number
 * is not. Floats are kept apart from integers, since a user id is never a float. A string that is not UTF-8 is
 * PhpBytes, so that no two different ones become equal by replacement characters.
 *
 * A PHP reference shows as the value itself, so the same array or object can be met twice, and within itself.
 */
export type PhpValue =
  | null
  | boolean
  | number
  | bigint
  | PhpFloat
  | string
  | PhpBytes
  | PhpValue[]
  | PhpRecord
  | PhpObject;

/** A PHP array. Without a prototype, so that every key, `__proto__` too, is one of its own. */
export interface PhpRecord {
  [key: string]: PhpValue;
}

export class PhpFloat {
  readonly value: number;

  constructor(value: number) {
    this.value = value;
  }
}

/** A string that is not UTF-8. `bytes` is a view of the whole session. */
export class PhpBytes {
  readonly bytes: Buffer;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
  }
}

/** An object or an enum case. Property names are without the `\0…\0` that marks private and protected ones. */
export class PhpObject {
  readonly className: string;
  properties: PhpRecord;

  constructor(className: string, properties: PhpRecord = newRecord()) {
    this.className = className;
    this.properties = properties;
  }
}

/** Made of its own empty prototype, as in the package cookie: a third of what `Object.create(null)` takes. */
function Nothing() {}
Nothing.prototype = Object.create(null);

export function newRecord(): PhpRecord {
  return new (Nothing as unknown as new () => PhpRecord)();
}

export function isRecord(value: PhpValue): value is PhpRecord {
  return value instanceof Nothing;
}

/** The bytes are not what the configured format would have written. `message` holds no session content. */
export class FormatError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'FormatError';
  }
}
