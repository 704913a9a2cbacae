/** A value of PHP. An object is an array of its properties. */
export type ConfigurationValue = string | number | boolean | null | ConfigurationArray | Unknown;

type ConfigurationArray = ReadonlyMap<string, ConfigurationValue>;

/** A value that only PHP can compute. `why` names the dependency, without values. */
export interface Unknown {
  unknown: { file: string; line: number; why: string };
}

/** The values that a configuration file sets. */
export interface PhpConfiguration {
  /** The value under `rest` belongs to all other names that may exist. */
  constants: Map<string, ConfigurationValue>;
  /** By name without `$`. */
  variables: Map<string, ConfigurationValue>;
  /** Constants and default properties of classes, as `CLASS::NAME`. */
  members: Map<string, ConfigurationValue>;
  /** The value that the file returns to `require`. */
  returned?: ConfigurationValue;
}

/** The context in which an application includes its configuration file. */
export interface PhpSurroundings {
  /** The environment of PHP, for `getenv()` and similar functions. Undefined if it is unknown. */
  environment?: Readonly<Record<string, string>> | undefined;
  /** Variables of the application. */
  variables?: Readonly<Record<string, ConfigurationValue>>;
  /** Constants of the application. */
  constants?: Readonly<Record<string, string | number>>;
  /** The results of functions, by name in lower case without a namespace: `environment::getvarpath`. */
  calls?: Readonly<Record<string, ConfigurationValue>>;
  /** Whether the file is included in a function, so that its variables are not global. */
  isInFunction?: boolean;
  /** The folder of a Laravel application, for `storage_path()` and similar functions. */
  root?: string;
  /** Included files to skip. Some configurations start the application at their end. */
  application?: RegExp;
}

/** Variables that an `.env` file may use in addition to its own. */
export interface OtherVariables {
  /** Variables of earlier files. The file's own variables override them. */
  before?: Readonly<Record<string, string>> | undefined;
  /** The environment of PHP, which overrides all files. */
  environment?: Readonly<Record<string, string>> | undefined;
}

/**
 * Limits for reading a configuration. `bytes`: of one file, or of all PHP files that a configuration includes together.
 * `text`: characters of a composed value, or of all values of an ini or .env file.
 */
export const bounds = { bytes: 1024 * 1024, files: 20, steps: 200_000, depth: 200, text: 1024 * 1024 };

/** A file is invalid or exceeds the limits. The message names the file and the line. */
export class ConfigurationError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'ConfigurationError';
  }
}

/**
 * The site requires a second factor, and this package cannot see whether the user gave it. The current configuration
 * would accept a password alone.
 */
export class SecondFactorError extends ConfigurationError {}

export const isUnknown = (value: ConfigurationValue | undefined): value is Unknown =>
  typeof value === 'object' && value !== null && 'unknown' in value;

export const isArray = (value: ConfigurationValue): value is ConfigurationArray => value instanceof Map;

/** The value under this key belongs to all other keys that may exist in the array. */
export const rest = '\0rest';

/** Returns the part of a value under a key. Null if it does not exist. */
export function part(value: ConfigurationValue, key: string): ConfigurationValue {
  if (isUnknown(value)) return value;
  return isArray(value) ? (value.get(key) ?? value.get(rest) ?? null) : null;
}

/** Converts a value to text like PHP. Undefined for an array. */
export function toText(value: ConfigurationValue): string | undefined {
  if (typeof value === 'string') return value;
  if (typeof value === 'number') return String(value);
  if (value === null || value === false) return '';
  return value === true ? '1' : undefined;
}

export function isTruthy(value: ConfigurationValue): boolean {
  if (isArray(value)) return value.size > 0;
  return Boolean(value) && value !== '0';
}

/** Returns the key that PHP gives to the next element of an array. */
export function nextKey(array: ConfigurationArray): string {
  let next = 0;
  for (const key of array.keys()) if (/^\d{1,15}$/.test(key)) next = Math.max(next, Number(key) + 1);
  return String(next);
}

/** Whether PHP compares the text as a number. */
const isNumeric = (text: string): boolean => /^\s*[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?\s*$/i.test(text);

/** Whether the text is an integer in its usual form. */
const isCanonicalNumber = (text: string): boolean => /^(?:0|-?[1-9]\d{0,14})$/.test(text);

/** Whether `==` in PHP is true for these texts only if they are identical. */
export const areComparable = (a: string, b: string): boolean =>
  a === b || ![a, b].every(isNumeric) || [a, b].every(isCanonicalNumber);
