import { statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type ConfigurationValue, isArray, rest, type Unknown } from './value.ts';

/** PHP functions that do not change arrays or unset variables, except those in `firstChangedParameter`. */
export const functionsByValue = new Set(
  'in_array array_key_exists array_keys array_values array_filter array_map array_search array_unique array_flip array_combine array_column array_slice array_merge_recursive count sizeof implode join explode is_array is_string is_null is_numeric is_object is_bool is_int strlen strpos stripos str_contains str_starts_with str_ends_with substr strtoupper str_replace sprintf printf print_r var_dump var_export json_encode json_decode serialize md5 sha1 hash parse_url ltrim rtrim ini_set putenv error_log error_reporting header http_build_query max min intval strval boolval filter_var function_exists class_exists method_exists extension_loaded call_user_func file_get_contents basename pathinfo version_compare date time'.split(
    ' ',
  ),
);

/** The index of the first parameter that a PHP function changes. */
export const firstChangedParameter: Readonly<Record<string, number>> = {
  settype: 0,
  exec: 1,
  sscanf: 2,
  preg_match: 2,
  preg_match_all: 2,
  str_replace: 3,
};

/** The parts of the interpreter that functions may use. */
interface FunctionContext {
  constants: ReadonlyMap<string, ConfigurationValue>;
  environment: Readonly<Record<string, string>> | undefined;
  /** The folder of a Laravel application. */
  root: string | undefined;
  /** Returns the real path of a file. Undefined if it does not exist. */
  findFile(path: string): string | undefined;
  /** Returns the real path of a file or folder. Undefined if it does not exist. */
  findPath(path: string): string | undefined;
  toUnknown(why: string): Unknown;
  /** Returns the result of `array_replace()` or `array_replace_recursive()` for two arrays. */
  replace(
    array: ConfigurationValue,
    replacement: ConfigurationValue,
    isRecursive: boolean,
  ): ConfigurationValue;
}

type PhpFunction = (this: FunctionContext, values: readonly ConfigurationValue[]) => ConfigurationValue;

/** Returns an environment variable. Undefined if it does not exist. */
function readVariable(context: FunctionContext, name: ConfigurationValue | undefined) {
  if (typeof name !== 'string') return context.toUnknown('the name of an environment variable');
  if (context.environment === undefined) return context.toUnknown(`the environment variable ${name}`);
  return Object.hasOwn(context.environment, name) ? context.environment[name] : undefined;
}

const exists: PhpFunction = function ([path]) {
  return typeof path === 'string' ? this.findPath(path) !== undefined : this.toUnknown('a path');
};

/** Creates a function of Laravel that joins a path to a folder of the application. */
const createPathFunction = (folder: string): PhpFunction =>
  function ([path = '']) {
    if (this.root === undefined || typeof path !== 'string') return this.toUnknown('a folder of Laravel');
    return join(this.root, folder, path);
  };

/** Creates a function of Laravel for ASCII texts. Laravel has tables for other texts. */
const createAsciiFunction = (
  name: string,
  convert: (text: string, separator: string) => string,
): PhpFunction =>
  function ([text, given]) {
    const separator = given ?? (name === 'slug' ? '-' : '_');
    return typeof text === 'string' && /^[\0-\x7f]*$/.test(text) && (separator === '-' || separator === '_')
      ? convert(text, separator)
      : this.toUnknown(`Str::${name}() of this text`);
  };

const createReplaceFunction = (name: string, isRecursive: boolean): PhpFunction =>
  function ([first = null, ...others]) {
    // `array_merge()` renumbers integer keys.
    const isSupported = (value: ConfigurationValue) =>
      isArray(value) && (name !== 'array_merge' || ![...value.keys()].some((key) => /^-?\d+$/.test(key)));
    if (![first, ...others].every(isSupported)) return this.toUnknown(`the function ${name}()`);
    return others.reduce((array, replacement) => this.replace(array, replacement, isRecursive), first);
  };

/** The functions that configurations call, by their names in lower case. */
export const phpFunctions: Readonly<Record<string, PhpFunction>> = {
  defined([name]) {
    if (typeof name !== 'string') return this.toUnknown('the name of a constant');
    if (this.constants.has(name)) return true;
    if (/^(PHP|E)_/.test(name)) return this.toUnknown('a constant of PHP');
    return this.constants.get(rest) ?? false;
  },
  constant([name]) {
    const value = typeof name === 'string' ? this.constants.get(name) : undefined;
    return value ?? this.toUnknown('a constant');
  },
  getenv([name]) {
    return name === undefined ? this.toUnknown('the environment') : (readVariable(this, name) ?? false);
  },
  /** A function of Laravel and others. It converts the words true, false, null and empty to these values. */
  env([name, fallback = null]) {
    const value = readVariable(this, name);
    if (value === undefined) return fallback;
    if (typeof value !== 'string') return value;
    const word = /^\(?(true|false|null|empty)\)?$/i.exec(value)?.[1]?.toLowerCase();
    if (word === undefined) return value;
    return word === 'empty' ? '' : JSON.parse(word);
  },
  // WordPress's official image: docker-library/wordpress, wp-config-docker.php.
  getenv_docker([name, fallback = null]) {
    const file = typeof name === 'string' ? readVariable(this, `${name}_FILE`) : undefined;
    if (typeof file === 'string') return this.toUnknown(`the file that ${name}_FILE names`);
    return readVariable(this, name) ?? fallback;
  },
  // TYPO3: SystemEnvironmentBuilder.php.
  'environment::getcontext'() {
    if (this.environment === undefined) return this.toUnknown('the environment variable TYPO3_CONTEXT');
    const { TYPO3_CONTEXT: context, REDIRECT_TYPO3_CONTEXT: redirected } = this.environment;
    return context || redirected || 'Production';
  },
  strtolower([text]) {
    return typeof text === 'string'
      ? text.replace(/[A-Z]+/g, (letters) => letters.toLowerCase())
      : this.toUnknown('the function strtolower()');
  },
  dirname([path, levels = 1]) {
    if (typeof path !== 'string' || typeof levels !== 'number' || levels < 1 || levels > 100)
      return this.toUnknown('a folder');
    let folder = path;
    for (let n = 0; n < levels; n++) folder = dirname(folder);
    return folder;
  },
  realpath([path]) {
    return typeof path === 'string' ? (this.findPath(path) ?? path) : this.toUnknown('a path');
  },
  base_path: createPathFunction('.'),
  storage_path: createPathFunction('storage'),
  database_path: createPathFunction('database'),
  'str::slug': createAsciiFunction('slug', (text, separator) =>
    text
      .replaceAll(separator === '-' ? '_' : '-', separator)
      .replaceAll('@', `${separator}at${separator}`)
      .toLowerCase()
      .replace(/[^a-z0-9\s_-]/g, '')
      .replace(/[\s_-]+/g, separator)
      .replace(/^[_-]|[_-]$/g, ''),
  ),
  'str::snake': createAsciiFunction('snake', (text, separator) =>
    /^[a-z]+$/.test(text)
      ? text
      : text
          .replace(/(^|\s)[a-z]/g, (letter) => letter.toUpperCase())
          .replace(/\s+/g, '')
          .replace(/(.)(?=[A-Z])/g, `$1${separator}`)
          .toLowerCase(),
  ),
  array_merge: createReplaceFunction('array_merge', false),
  array_replace: createReplaceFunction('array_replace', false),
  array_replace_recursive: createReplaceFunction('array_replace_recursive', true),
  file_exists: exists,
  is_file([path]) {
    return typeof path === 'string' ? this.findFile(path) !== undefined : this.toUnknown('a path');
  },
  is_dir([path]) {
    if (typeof path !== 'string') return this.toUnknown('a path');
    const folder = this.findPath(path);
    return folder !== undefined && statSync(folder, { throwIfNoEntry: false })?.isDirectory() === true;
  },
  is_readable: exists,
  trim([text, characters]) {
    return typeof text === 'string' && characters === undefined
      ? text.replace(/^[ \t\n\r\0\v]+|[ \t\n\r\0\v]+$/g, '')
      : this.toUnknown('the function trim()');
  },
};
