import { isUtf8 } from 'node:buffer';

/**
 * A decoded value of a session. Integers are exact: a number, or a bigint if a number would not be. Floats are separate,
 * because a user ID is never a float. Strings that are not UTF-8 are PhpBytes, because replacement characters would make
 * different strings equal.
 *
 * A PHP reference is replaced by its value, so an array or object can occur twice, and can contain itself.
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
 * A PHP array. It inherits nothing, so each key, even `__proto__`, is an own key. `toName` converts keys that are not
 * UTF-8.
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

/** A string that is not UTF-8. `bytes` is a view of the session. */
export class PhpBytes {
  readonly bytes: Buffer;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
  }
}

/**
 * An object or an enum case. Private properties are named `\0Class\0name` and protected ones `\0*\0name`, as PHP
 * writes them, so that private properties of a class and its parent stay separate.
 */
export class PhpObject {
  readonly className: string;
  properties: PhpRecord;
  /** False if only PHP knows the whole object: an enum case, or a class that serializes itself (`Serializable`). */
  readonly complete: boolean;

  constructor(className: string, properties: PhpRecord = newRecord(), complete = true) {
    this.className = className;
    this.properties = properties;
    this.complete = complete;
  }
}

/** Returns `name` for `\0Class\0name` of a private property and `\0*\0name` of a protected one. */
export function propertyName(name: string): string {
  return name.charCodeAt(0) === 0 ? name.slice(name.indexOf('\0', 1) + 1) : name;
}

/** Converts the bytes of a key or a name. Different bytes become different names. */
export function toName(bytes: Buffer): string {
  return isUtf8(bytes) ? bytes.toString() : escapeBytes(bytes);
}

/** Converts each byte to a character: bytes above 7F to U+DC80 to U+DCFF, lone surrogates that UTF-8 cannot contain. */
export function escapeBytes(bytes: Buffer): string {
  const units = new Uint16Array(bytes);
  for (let n = 0; n < units.length; n++)
    if ((units[n] as number) > 0x7f) units[n] = 0xdc00 + (units[n] as number);
  return Buffer.from(units.buffer).toString('utf16le');
}

/** A constructor with an empty prototype, as in the package `cookie`. It is three times as fast as `Object.create(null)`. */
function EmptyRecord() {}
EmptyRecord.prototype = Object.create(null);

export function newRecord(): PhpRecord {
  // TypeScript does not accept a function as a constructor.
  return new (EmptyRecord as unknown as new () => PhpRecord)();
}

/**
 * Adds an entry to an array or object. V8 also keeps room for integer keys below the new one, up to 4 kB for a key such as
 * 300 in an array of its own. Then the array stores only its own keys.
 */
export function putEntry(record: PhpRecord, key: string, value: PhpValue): void {
  if (key.length < 4 && key.charCodeAt(0) <= 0x39 && Number(key) > 15 && !(Number(key) - 1 in record)) {
    record[farKey] = null;
    delete record[farKey];
  }
  record[key] = value;
}

/** V8 does not keep room for all keys below it. */
const farKey = 1_000_000;

export function isRecord(value: PhpValue): value is PhpRecord {
  return value instanceof EmptyRecord;
}

/** Whether PHP converts the string to an integer when it is an array key (`ZEND_HANDLE_NUMERIC`). */
export function isIntegerKey(key: string): boolean {
  // A fast path, because most keys begin with a letter.
  if (key.charCodeAt(0) > 0x39 || !/^(0|-?[1-9]\d{0,18})$/.test(key)) return false;
  return key.length < 19 || BigInt.asIntN(64, BigInt(key)) === BigInt(key);
}

/**
 * Removes variables whose name is an integer. PHP code cannot read them, except in the format `php_serialize`. PHP drops
 * them or stores them under a string key, but `$_SESSION['5']` reads the integer key 5.
 */
export function dropIntegerNames(session: PhpRecord): PhpRecord {
  const names = Object.keys(session);
  if (!names.some(isIntegerKey)) return session;
  const variables = newRecord();
  for (const name of names) if (!isIntegerKey(name)) variables[name] = session[name] as PhpValue;
  return variables;
}

/**
 * The bytes cannot be decoded. `message` never contains session content. If the bytes are intact, `explanation` is the
 * reason why PHP or this decoder rejects them.
 */
export class FormatError extends Error {
  readonly explanation: string | undefined;

  constructor(message: string, options?: ErrorOptions & { explanation?: string | undefined }) {
    super(message, options);
    this.name = 'FormatError';
    this.explanation = options?.explanation;
  }
}
