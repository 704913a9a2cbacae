import { isUtf8 } from 'node:buffer';

/**
 * A value in a session, as every format decodes it. Integers are exact: a number, or a bigint where a number
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

/**
 * A PHP array. Without a prototype, so that every key, `__proto__` too, is one of its own. A key that is not UTF-8 is
 * what `nameFrom` makes of it.
 */
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

/**
 * An object or an enum case. Properties have the names that PHP writes: `\0Class\0name` if private, `\0*\0name` if
 * protected. So two private ones of a class and of its parent stay two, though `propertyName` is the same.
 */
export class PhpObject {
  readonly className: string;
  properties: PhpRecord;
  /** False if PHP has more in the object than the session says: an enum case has a value, a `Serializable` anything. */
  readonly complete: boolean;

  constructor(className: string, properties: PhpRecord = newRecord(), complete = true) {
    this.className = className;
    this.properties = properties;
    this.complete = complete;
  }
}

/** `\0Class\0name` of a private property and `\0*\0name` of a protected one become `name`. */
export function propertyName(name: string): string {
  return name.charCodeAt(0) === 0 ? name.slice(name.indexOf('\0', 1) + 1) : name;
}

/** A key or a name: text if it is UTF-8, else `bytewise`. So no two different ones become the same. */
export function nameFrom(bytes: Buffer): string {
  return isUtf8(bytes) ? bytes.toString() : bytewise(bytes);
}

/** A character for each byte; those above 7F become U+DC80 to U+DCFF, halves of surrogate pairs, which no UTF-8 has. */
export function bytewise(bytes: Buffer): string {
  const units = new Uint16Array(bytes);
  for (let n = 0; n < units.length; n++)
    if ((units[n] as number) > 0x7f) units[n] = 0xdc00 + (units[n] as number);
  return Buffer.from(units.buffer).toString('utf16le');
}

/**
 * Made of its own empty prototype, as in the package cookie: a third of what `Object.create(null)` takes. To
 * TypeScript a function is no constructor: hence the cast below.
 */
function Nothing() {}
Nothing.prototype = Object.create(null);

export function newRecord(): PhpRecord {
  return new (Nothing as unknown as new () => PhpRecord)();
}

export function isRecord(value: PhpValue): value is PhpRecord {
  return value instanceof Nothing;
}

/** A string that PHP takes for an integer when it is the key of an array (`ZEND_HANDLE_NUMERIC`). */
export function isIntegerKey(key: string): boolean {
  // Most begin with a letter.
  if (key.charCodeAt(0) > 0x39 || !/^(0|-?[1-9]\d{0,18})$/.test(key)) return false;
  return key.length < 19 || BigInt.asIntN(64, BigInt(key)) === BigInt(key);
}

/**
 * The variables of a session, in every format but `php_serialize`. No PHP code reaches one whose name is an integer:
 * PHP leaves it out of `$_SESSION`, or has it there under a string, while `$_SESSION['5']` means the integer 5.
 */
export function variables(read: PhpRecord): PhpRecord {
  const names = Object.keys(read);
  if (!names.some(isIntegerKey)) return read;
  const session = newRecord();
  for (const name of names) if (!isIntegerKey(name)) session[name] = read[name] as PhpValue;
  return session;
}

/**
 * The bytes cannot be decoded. `message` holds no session content. `explanation` is set if the bytes are intact: it says
 * why PHP, or this decoder, does not read them.
 */
export class FormatError extends Error {
  readonly explanation: string | undefined;

  constructor(message: string, options?: ErrorOptions & { explanation?: string | undefined }) {
    super(message, options);
    this.name = 'FormatError';
    this.explanation = options?.explanation;
  }
}
