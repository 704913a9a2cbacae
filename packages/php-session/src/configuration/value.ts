/** A value as PHP has it. An object of a configuration is an array by its properties. */
export type ConfigurationValue = string | number | boolean | null | ConfigurationArray | Unknown;

export type ConfigurationArray = ReadonlyMap<string, ConfigurationValue>;

/** A value that only PHP can compute. `why` says what it depends on, without a value. */
export interface Unknown {
  unknown: { file: string; line: number; why: string };
}

/** Everything that a configuration file sets, without having run. */
export interface PhpConfiguration {
  /** Under `rest` if there may be others that are not known. */
  constants: Map<string, ConfigurationValue>;
  /** By their names without `$`. */
  variables: Map<string, ConfigurationValue>;
  /** Constants and default properties of classes, as `CLASS::NAME`. */
  members: Map<string, ConfigurationValue>;
  /** The value that the file returns to `require`. */
  returned?: ConfigurationValue;
}

/** Surroundings of a configuration file in PHP. */
export interface PhpSurroundings {
  /** For `getenv()` and the like; undefined if the environment of PHP is not known. */
  environment?: Readonly<Record<string, string>> | undefined;
  /** Variables that the application sets before it includes the file. */
  variables?: Readonly<Record<string, ConfigurationValue>>;
  /** Constants of the application. */
  constants?: Readonly<Record<string, string | number>>;
  /** The values of calls, by their names in lower case without a namespace: `environment::getvarpath`. */
  calls?: Readonly<Record<string, ConfigurationValue>>;
  /** The file is included in a function: its variables are not global. */
  isInFunction?: boolean;
  /** The folder of an application of Laravel, for `storage_path()` and the like. */
  root?: string;
  /** Files that are not followed: the application itself, which the configuration starts at its end. */
  application?: RegExp;
}

/** Variables that an `.env` file may name besides its own. */
export interface OtherVariables {
  /** Variables of the files before it. Its own variables count before these. */
  before?: Readonly<Record<string, string>> | undefined;
  /** The environment of PHP, which counts before all files. */
  environment?: Readonly<Record<string, string>> | undefined;
}

/** Bounds of one reading. The bytes count over all files. */
export const bounds = { bytes: 1024 * 1024, files: 20, steps: 200_000, depth: 200, text: 1024 * 1024 };

/** A file that cannot be read as PHP, or exceeds the bounds. The message names the file and the line. */
export class ConfigurationError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'ConfigurationError';
  }
}

/**
 * The site asks for a second factor, and this package cannot see whether it was given. With the configuration so far a
 * password alone would be enough.
 */
export class SecondFactorError extends ConfigurationError {}

export const isUnknown = (value: ConfigurationValue | undefined): value is Unknown =>
  typeof value === 'object' && value !== null && 'unknown' in value;

export const isArray = (value: ConfigurationValue): value is ConfigurationArray => value instanceof Map;

/** Under this key an array has what is known of all keys that it does not name. */
export const rest = '\0rest';

/** The part of a value under a key: null where there is nothing. */
export function part(value: ConfigurationValue, key: string): ConfigurationValue {
  if (isUnknown(value)) return value;
  return isArray(value) ? (value.get(key) ?? value.get(rest) ?? null) : null;
}
