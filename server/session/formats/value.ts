/**
 * What a session can hold, as every format decodes it. Integers are exact: a number, or a bigint where a
 * number is not. Floats are kept apart from integers, since a user id is never a float.
 */
export type PhpValue = null | boolean | number | bigint | PhpFloat | string | PhpValue[] | PhpRecord;

/** A PHP array with keys, or an object. Made by decoders only; its keys are untrusted own properties. */
export interface PhpRecord {
  [key: string]: PhpValue;
}

export class PhpFloat {
  readonly value: number;

  constructor(value: number) {
    this.value = value;
  }
}

/** The bytes are not what the configured format would have written. `message` holds no session content. */
export class FormatError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'FormatError';
  }
}
