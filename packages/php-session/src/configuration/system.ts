import { readdir, realpath, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { option } from '../names.ts';
import { readRegularFile } from './regular-file.ts';
import { bounds, ConfigurationError } from './value.ts';

/** The configuration files of PHP and web servers on the machine of a site. */
export interface System {
  /** Reads a file. Null if it does not exist. @throws ConfigurationError if it cannot be read or is too large */
  text(file: string): Promise<string | null>;
  /** Returns the names in a folder in byte order. Empty if it does not exist. */
  list(folder: string): Promise<string[]>;
  /** Resolves symbolic links. Returns the path itself if it does not exist. */
  real(path: string): Promise<string>;
  /** Expands `*`, `?` and `[…]` like `glob()` in C. */
  glob(pattern: string): Promise<string[]>;
}

/** The limit of files and folders for reading one configuration. */
const maxFiles = 2000;

/** @param root the folder that replaces `/`. Paths may already begin with it. */
export function openSystem(root = '/'): System {
  let files = 0;
  let bytes = 0;
  const isInside = (file: string) => root !== '/' && file.startsWith(`${root}/`);
  const toPath = (file: string) => (isInside(file) ? file : join(root, file));
  const addFile = (file: string) => {
    if (++files > maxFiles)
      throw new ConfigurationError(`${file}: the configuration has more than ${maxFiles} files`);
  };
  const system: System = {
    async text(file) {
      addFile(file);
      try {
        const stats = await stat(toPath(file));
        if (!stats.isFile()) return null;
        bytes += stats.size;
        if (stats.size > bounds.bytes || bytes > 16 * bounds.bytes)
          throw new ConfigurationError(`${file}: the configuration is too large`);
        const content = await readRegularFile(toPath(file), bounds.bytes);
        // The file was replaced after `stat`.
        if (typeof content === 'string') throw new ConfigurationError(`${file} ${content}`);
        return content.toString();
      } catch (error) {
        if (error instanceof ConfigurationError) throw error;
        if (isMissing(error)) return null;
        throw toAccessError(`${file} cannot be read`, error);
      }
    },
    async list(folder) {
      addFile(folder);
      try {
        return (await readdir(toPath(folder))).sort((a, b) => (a < b ? -1 : 1));
      } catch (error) {
        if (isMissing(error)) return [];
        throw toAccessError(`${folder} cannot be listed`, error);
      }
    },
    async real(path) {
      const target = await realpath(toPath(path)).catch(() => path);
      return target === path || isInside(path) || root === '/'
        ? target
        : target.replace(await realpath(root), '');
    },
    async glob(pattern) {
      let paths = [''];
      for (const part of pattern.split('/').slice(1)) {
        if (!/[*?[]/.test(part)) {
          paths = paths.map((folder) => `${folder}/${part}`);
          continue;
        }
        const form = toRegExp(part);
        const matches: string[] = [];
        for (const folder of paths) {
          for (const name of await system.list(folder || '/'))
            if (form.test(name)) matches.push(`${folder}/${name}`);
        }
        paths = matches;
      }
      return paths;
    },
  };
  return system;
}

function isMissing(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === 'ENOENT' || code === 'ENOTDIR';
}

function toAccessError(what: string, cause: unknown): ConfigurationError {
  const { code } = cause as NodeJS.ErrnoException;
  return new ConfigurationError(
    `${what} (${code}): let the account of this server read it, or set ${option('store')} and ${option('cookieName')}`,
    { cause },
  );
}

/**
 * Converts a part of a `glob()` pattern to a regular expression. A wildcard does not match a dot at the start of a name.
 */
function toRegExp(pattern: string): RegExp {
  const source = pattern.replace(/\[!?\]?[^\]]*\]|[\s\S]/g, (part) => {
    if (part === '*') return '[^]*';
    if (part === '?') return '[^]';
    if (part.length === 1) return part.replace(/[\\^$.*+?()[\]{}|/-]/, '\\$&');
    const negated = part[1] === '!';
    const inside = part.slice(negated ? 2 : 1, -1).replace(/[\\\]^[]/g, '\\$&');
    return `[${negated ? '^' : ''}${inside}]`;
  });
  return new RegExp(`^${/^[*?[]/.test(pattern) ? '(?!\\.)' : ''}${source}$`);
}
