import { readdir, realpath, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import {
  type Configuration,
  ConfigurationError,
  maxConfigurationBytes,
  readConfiguration,
  readSessionCalls,
} from '../configuration/configuration.ts';
import { type EnvForm, parseEnv } from '../configuration/env.ts';
import { type PhpSettings, readPhpSettings } from '../configuration/php-settings.ts';
import { readRegularFile } from '../configuration/regular-file.ts';
import type { SessionCall } from '../configuration/session-calls.ts';
import { openSystem, type System } from '../configuration/system.ts';
import type { PhpSurroundings } from '../configuration/value.ts';
import { option } from '../names.ts';
import type { GivenDatabase } from '../store-url.ts';

/** The folder with an application's configuration. File names are relative to it, or absolute. */
export interface SiteFolder {
  /** The real path of the folder, or of the configuration file itself. */
  readonly path: string;
  /** Whether a regular file is there. For a folder use `list`. */
  has(file: string): Promise<boolean>;
  /**
   * Returns the names in a folder. Empty if the folder does not exist.
   * @throws ConfigurationError if it cannot be listed
   */
  list(folder: string): Promise<string[]>;
  /** Reads a file as text. @throws ConfigurationError */
  text(file: string): Promise<string>;
  /** Parses a PHP file without running it. @throws ConfigurationError */
  php(file: string, surroundings?: Omit<PhpSurroundings, 'environment'>): Promise<Configuration>;
  /** Reads the settings of the PHP that runs the site. @throws ConfigurationError */
  settings(): Promise<PhpSettings>;
  /** Finds the calls in the code that change settings of sessions. @throws ConfigurationError */
  calls(): Promise<readonly SessionCall[]>;
  /** Reads /etc/passwd. Empty if it does not exist. */
  users(): Promise<string>;
  /** The variables of the option `siteEnv`. */
  readonly environment: Readonly<Record<string, string>>;
  /**
   * Reads the variables of an `.env` file. Later calls of `php` use them.
   * @param before the variables of a former `.env` file
   */
  env(
    file: string,
    form?: EnvForm,
    before?: Readonly<Record<string, string>>,
  ): Promise<Readonly<Record<string, string>>>;
}

export interface SiteFolderOptions {
  folder: string;
  cookieName?: string | undefined;
  /** The option `siteDatabase`. */
  database?: GivenDatabase | undefined;
  /** The variables of the option `siteEnv`. */
  environment?: Readonly<Record<string, string>> | undefined;
  /** The root folder of the machine on which PHP runs. Default `/`. */
  machine?: string | undefined;
  /** Called with each path of `has`, `list`, `text`, `php` and `env`, even if it does not exist. */
  onFile?(path: string, wanted: 'seen' | 'read'): void;
}

/** The folders that may contain a site's pages, relative to the site's folder. */
export const pageFolders = ['.', 'public', 'public_html', 'web', 'www', 'htdocs', 'html'];

/** Opens the folder of a site. @throws ConfigurationError if it does not exist or cannot be read */
export async function siteFolder({
  folder: path,
  environment,
  database,
  cookieName,
  machine,
  onFile = () => {},
}: SiteFolderOptions): Promise<SiteFolder> {
  const given = new Set<string>();
  if (database !== undefined) given.add(option('siteDatabase'));
  if (cookieName !== undefined) given.add(option('cookieName'));
  const real = await realpath(path).catch((cause: NodeJS.ErrnoException) => {
    throw new ConfigurationError(`${path} cannot be read (${cause.code})`, { cause });
  });
  let variables = environment;
  const system: System = openSystem(machine);
  const resolve = (file: string, wanted: 'seen' | 'read' = 'read') => {
    const resolved = file.startsWith('/') ? file : join(real, file);
    onFile(resolved, wanted);
    return resolved;
  };
  return {
    path: real,
    has: (file) =>
      stat(resolve(file, 'seen')).then(
        (found) => found.isFile(),
        () => false,
      ),
    list: (folder) =>
      readdir(resolve(folder)).catch((cause: NodeJS.ErrnoException) => {
        if (cause.code === 'ENOENT' || cause.code === 'ENOTDIR') return [];
        throw new ConfigurationError(`${resolve(folder)} cannot be listed (${cause.code})`, { cause });
      }),
    text: (file) => readText(resolve(file)),
    settings: () => readPhpSettings(real, { system, environment }),
    calls: () => readSessionCalls(real),
    users: async () => (await system.text('/etc/passwd')) ?? '',
    environment: environment ?? {},
    php: (file, surroundings) =>
      readConfiguration(resolve(file), { ...surroundings, environment: variables }, given),
    async env(file, form, before) {
      const path = resolve(file);
      const found = parseEnv(await readText(path), path, form, { before, environment });
      // PHP's environment takes precedence over `.env` files.
      variables = { ...before, ...found, ...environment };
      return variables;
    },
  };
}

/** Returns the match of a pattern in a file. Null without a match or a file. */
export const matchFile = async (folder: SiteFolder, file: string, pattern: RegExp) =>
  (await folder.has(file)) ? pattern.exec(await folder.text(file)) : null;

/**
 * Finds the application's folder: the site's folder or, if that is the folder `served` to browsers, the one above. Null if
 * neither is the application's.
 */
export async function findRoot(
  { path }: SiteFolder,
  served: string,
  isRoot: (root: string) => Promise<boolean>,
): Promise<string | null> {
  if (await isRoot(path)) return path;
  return basename(path) === served && (await isRoot(dirname(path))) ? dirname(path) : null;
}

async function readText(file: string): Promise<string> {
  try {
    const read = await readRegularFile(file, maxConfigurationBytes);
    if (typeof read === 'string') throw new ConfigurationError(`${file} ${read}`);
    return read.toString();
  } catch (error) {
    if (error instanceof ConfigurationError) throw error;
    throw new ConfigurationError(`${file} cannot be read (${(error as NodeJS.ErrnoException).code})`, {
      cause: error,
    });
  }
}
