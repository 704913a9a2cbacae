import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import { option } from '../names.ts';
import { findFilesWithCalls, type SessionCall } from './session-calls.ts';
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
  toText,
} from './value.ts';

export { ConfigurationError, SecondFactorError } from './value.ts';

/** A task of the worker thread: a configuration file, or files of code with calls. */
export type Reading = { file: string; surroundings: PhpSurroundings } | { files: readonly string[] };

/** The limit for the parser. The limits of the evaluation take effect much earlier. */
const timeoutMs = 10_000;
/** An idle thread is kept for this time, because starting a thread takes ten times as long as reading a site. */
const idleMs = 5000;

const { NODE_COMPILE_CACHE: compileCache } = process.env;

/**
 * Reads a configuration file of a PHP application without running it. See `readPhp`.
 * @param given options that the operator set. They replace values of the file, so these values may be unknown.
 * @throws ConfigurationError
 */
export async function readConfiguration(
  file: string,
  surroundings: PhpSurroundings = {},
  given: ReadonlySet<string> = new Set(),
): Promise<Configuration> {
  const values = await runInThread<PhpConfiguration>({ file, surroundings }, file);
  return new Configuration(file, values, given);
}

/** Finds the calls in the code of a site that change session settings. @throws ConfigurationError */
export async function readSessionCalls(folder: string): Promise<SessionCall[]> {
  const files = await findFilesWithCalls(folder);
  return files.length === 0 ? [] : runInThread<SessionCall[]>({ files }, folder);
}

let idle: { thread: Worker; timer: NodeJS.Timeout } | undefined;

/** Runs one task, and terminates the thread if the task takes too much time or memory. @param path for errors */
async function runInThread<T extends object>(reading: Reading, path: string): Promise<T> {
  const thread = idle?.thread ?? startThread();
  if (thread === idle?.thread) {
    clearTimeout(idle.timer);
    idle = undefined;
    thread.ref();
  }
  const toError = (why: string, cause?: unknown) => new ConfigurationError(`${path}: ${why}`, { cause });
  let timer: NodeJS.Timeout | undefined;
  let isDone = false;
  try {
    const result = await new Promise<T | { error: string }>((resolve, reject) => {
      thread.once('message', resolve);
      thread.once('error', (cause) =>
        reject(toError('reading it as PHP failed, or needed too much memory', cause)),
      );
      thread.once('exit', () => reject(toError('the thread that read it exited early')));
      timer = setTimeout(() => reject(toError(`reading it took longer than ${timeoutMs} ms`)), timeoutMs);
      thread.postMessage(reading);
    });
    isDone = true;
    if ('error' in result) throw new ConfigurationError(result.error);
    return result;
  } finally {
    clearTimeout(timer);
    for (const event of ['message', 'error', 'exit']) thread.removeAllListeners(event);
    if (isDone && idle === undefined) keepIdle(thread);
    else await thread.terminate();
  }
}

function startThread(): Worker {
  // The published package has compiled files.
  return new Worker(new URL(`./reader-thread${extname(import.meta.url)}`, import.meta.url), {
    resourceLimits: { maxOldGenerationSizeMb: 256, maxYoungGenerationSizeMb: 16 },
    // The site must not read the environment of this process.
    env: compileCache === undefined ? {} : { NODE_COMPILE_CACHE: compileCache },
  });
}

/** The idle thread does not keep the process running. */
function keepIdle(thread: Worker): void {
  thread.unref();
  const end = () => {
    idle = undefined;
    void thread.terminate();
  };
  idle = { thread, timer: setTimeout(end, idleMs).unref() };
}

/** The values of a configuration file. Reading an unknown value throws ConfigurationError. */
export class Configuration {
  readonly file: string;
  readonly #values: PhpConfiguration;
  readonly #given: ReadonlySet<string>;

  constructor(file: string, values: PhpConfiguration, given: ReadonlySet<string>) {
    this.file = file;
    this.#values = values;
    this.#given = given;
  }

  /**
   * Returns a constant, or null if it is not defined. It is unknown if the file may define it under an unknown name.
   * @param instead the option that replaces the value if it is unknown
   */
  constant(name: string, instead: string): ConfigurationValue {
    const { constants } = this.#values;
    return this.#requireKnown(constants.get(constants.has(name) ? name : rest), name, instead);
  }

  /** Returns a variable, or its part under keys. Null if it does not exist. */
  variable(path: readonly [string, ...string[]], instead: string): ConfigurationValue {
    const [name, ...keys] = path;
    const { variables } = this.#values;
    return this.#readPart(variables.get(name) ?? variables.get(rest), keys, `$${path.join('.')}`, instead);
  }

  /** Returns a constant or property of a class, or its part under keys. */
  member(name: string, instead: string, keys: readonly string[] = []): ConfigurationValue {
    return this.#readPart(this.#values.members.get(name), keys, [name, ...keys].join('.'), instead);
  }

  /** Returns the value that the file returns, or its part under keys. */
  returned(keys: readonly string[], instead: string): ConfigurationValue {
    return this.#readPart(this.#values.returned, keys, keys.join('.'), instead);
  }

  /** Whether the file returns, or may return, a value under these keys. The value may be null. */
  returns(keys: readonly string[]): boolean {
    let value = this.#values.returned ?? null;
    for (const key of keys) {
      if (isUnknown(value)) return true;
      if (!isArray(value) || !(value.has(key) || value.has(rest))) return false;
      value = part(value, key);
    }
    return true;
  }

  #readPart(
    container: ConfigurationValue | undefined,
    keys: readonly string[],
    name: string,
    instead: string,
  ): ConfigurationValue {
    let value = container ?? null;
    for (const key of keys) value = part(value, key);
    return this.#requireKnown(value, name, instead);
  }

  #requireKnown(value: ConfigurationValue | undefined, name: string, instead: string): ConfigurationValue {
    if (!isUnknown(value)) return value ?? null;
    if (this.#given.has(instead)) return null;
    const { file, line, why } = value.unknown;
    const isVariable = why.startsWith('the environment variable ');
    const other = isVariable ? `, or ${option('siteEnv')} to a file with it` : '';
    throw new ConfigurationError(
      `${file} line ${line}: ${name} depends on ${why}, which only PHP knows: set ${instead}${other}`,
    );
  }
}

/** Whether PHP converts the text to true. */
export const isTrue = (text: string): boolean => text !== '' && text !== '0';

/** Converts a value to text like PHP. Returns null for null and arrays. */
export const asText = (value: ConfigurationValue): string | null =>
  value === null ? null : (toText(value) ?? null);

/** Returns a value as text, or null. Undefined if it is unknown. */
export function readIfKnown(read: () => ConfigurationValue): string | null | undefined {
  try {
    return asText(read());
  } catch (error) {
    if (error instanceof ConfigurationError) return undefined;
    throw error;
  }
}

export const maxConfigurationBytes = bounds.bytes;
