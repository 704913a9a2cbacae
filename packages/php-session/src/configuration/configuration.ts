import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import { option } from '../names.ts';
import { filesWithCalls, type SessionCall } from './session-calls.ts';
import {
  bounds,
  ConfigurationError,
  type ConfigurationValue,
  isArray,
  isUnknown,
  type PhpConfiguration,
  type PhpSurroundings,
  part,
  rest,
} from './value.ts';

export { ConfigurationError, SecondFactorError } from './value.ts';

/** The work of a thread: a configuration file, or the calls in files of code. */
export type Reading = { file: string; surroundings: PhpSurroundings } | { files: readonly string[] };

/** Milliseconds for one reading: its bounds end it much earlier, but those of the parser are not ours. */
const longest = 10_000;
/** An idle thread ends after this time: starting one takes ten times as long as reading a site. */
const idleMs = 5000;

const { NODE_COMPILE_CACHE: compiled } = process.env;

/**
 * Reads a configuration file of a PHP application without running it: see `readPhp`.
 * @param given the settings of the operator that replace values of the file: it does not matter if these are not known
 * @throws ConfigurationError
 */
export async function readConfiguration(
  file: string,
  surroundings: PhpSurroundings = {},
  given: ReadonlySet<string> = new Set(),
): Promise<Configuration> {
  const read = await inThread<PhpConfiguration>({ file, surroundings }, file);
  return new Configuration(file, read, given);
}

/** The calls in the code of a site that change settings of sessions. @throws ConfigurationError */
export async function readSessionCalls(folder: string): Promise<SessionCall[]> {
  const files = await filesWithCalls(folder);
  return files.length === 0 ? [] : inThread<SessionCall[]>({ files }, folder);
}

/** The thread of the last reading, which waits for the next one. */
let waiting: { thread: Worker; ends: NodeJS.Timeout } | undefined;

/**
 * A thread reads one thing at a time, and is ended if that takes too long or too much memory, whatever is read. After a
 * reading it waits for the next one: to start it takes longer than to read, and a site has several files.
 */
async function inThread<T extends object>(reading: Reading, what: string): Promise<T> {
  const thread = waiting?.thread ?? startThread();
  if (thread === waiting?.thread) {
    clearTimeout(waiting.ends);
    waiting = undefined;
    thread.ref();
  }
  const refused = (why: string, cause?: unknown) => new ConfigurationError(`${what}: ${why}`, { cause });
  let late: NodeJS.Timeout | undefined;
  let done = false;
  try {
    const read = await new Promise<T | { wrong: string }>((resolve, reject) => {
      thread.once('message', resolve);
      thread.once('error', (cause) => reject(refused('it cannot be read as PHP within the bounds', cause)));
      thread.once('exit', () => reject(refused('its reading has ended early')));
      late = setTimeout(() => reject(refused(`its reading took longer than ${longest} ms`)), longest);
      thread.postMessage(reading);
    });
    done = true;
    if ('wrong' in read) throw new ConfigurationError(read.wrong);
    return read;
  } finally {
    clearTimeout(late);
    for (const event of ['message', 'error', 'exit']) thread.removeAllListeners(event);
    if (done && waiting === undefined) keep(thread);
    else await thread.terminate();
  }
}

function startThread(): Worker {
  // In the package this file and the thread's have been compiled.
  return new Worker(new URL(`./reader-thread${extname(import.meta.url)}`, import.meta.url), {
    resourceLimits: { maxOldGenerationSizeMb: 256, maxYoungGenerationSizeMb: 16 },
    // The environment of this server is none of the site's, but for the place of the compiled code.
    env: compiled === undefined ? {} : { NODE_COMPILE_CACHE: compiled },
  });
}

/** It keeps no process from ending. */
function keep(thread: Worker): void {
  thread.unref();
  const end = () => {
    waiting = undefined;
    void thread.terminate();
  };
  waiting = { thread, ends: setTimeout(end, idleMs).unref() };
}

/** The values of a configuration file. A value that only PHP can compute is an error where it is asked for. */
export class Configuration {
  readonly file: string;
  readonly #read: PhpConfiguration;
  readonly #given: ReadonlySet<string>;

  constructor(file: string, read: PhpConfiguration, given: ReadonlySet<string>) {
    this.file = file;
    this.#read = read;
    this.#given = given;
  }

  /**
   * A constant; null if it is not defined. It is unknown if the file may define it under a name that is not known.
   * @param instead the setting to give if the value is not known
   */
  constant(name: string, instead: string): ConfigurationValue {
    const { constants } = this.#read;
    return this.#known(constants.get(constants.has(name) ? name : rest), name, instead);
  }

  /** A variable, or what lies in it under these keys; null if there is nothing. */
  variable(path: readonly [string, ...string[]], instead: string): ConfigurationValue {
    const [name, ...keys] = path;
    const variables = this.#read.variables;
    return this.#under(variables.get(name) ?? variables.get(rest), keys, `$${path.join('.')}`, instead);
  }

  /** A constant or property of a class, or what lies in it under these keys. */
  member(name: string, instead: string, keys: readonly string[] = []): ConfigurationValue {
    return this.#under(this.#read.members.get(name), keys, [name, ...keys].join('.'), instead);
  }

  /** Under these keys in what the file returns. */
  returned(keys: readonly string[], instead: string): ConfigurationValue {
    return this.#under(this.#read.returned, keys, keys.join('.'), instead);
  }

  /** Whether the file returns something under these keys, or may do so: null counts, too. */
  returns(keys: readonly string[]): boolean {
    let found = this.#read.returned ?? null;
    for (const key of keys) {
      if (isUnknown(found)) return true;
      if (!isArray(found) || !(found.has(key) || found.has(rest))) return false;
      found = part(found, key);
    }
    return true;
  }

  #under(
    value: ConfigurationValue | undefined,
    keys: readonly string[],
    name: string,
    instead: string,
  ): ConfigurationValue {
    let found = value ?? null;
    for (const key of keys) found = part(found, key);
    return this.#known(found, name, instead);
  }

  #known(value: ConfigurationValue | undefined, name: string, instead: string): ConfigurationValue {
    if (!isUnknown(value)) return value ?? null;
    if (this.#given.has(instead)) return null;
    const { file, line, why } = value.unknown;
    const given = why.startsWith('the environment variable ')
      ? `, or ${option('siteEnv')} to a file with it`
      : '';
    throw new ConfigurationError(
      `${file} line ${line}: ${name} depends on ${why}, which only PHP knows: set ${instead}${given}`,
    );
  }
}

/** As PHP takes a text for a boolean. */
export const isTrue = (text: string): boolean => text !== '' && text !== '0';

/** As PHP takes it for a text; null for null and for what is none. */
export function asText(value: ConfigurationValue): string | null {
  if (typeof value === 'string') return value;
  if (typeof value === 'number') return String(value);
  return typeof value === 'boolean' ? (value ? '1' : '') : null;
}

/** A value as text; undefined if only PHP knows it. */
export function ifKnown(read: () => ConfigurationValue): string | null | undefined {
  try {
    return asText(read());
  } catch (error) {
    if (error instanceof ConfigurationError) return undefined;
    throw error;
  }
}

/** The size of a configuration that is read as text. */
export const mostBytes = bounds.bytes;
