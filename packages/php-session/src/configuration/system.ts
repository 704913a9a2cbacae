import { readdir, realpath, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { option } from '../names.ts';
import { readRegularFile } from './regular-file.ts';
import { bounds, ConfigurationError } from './value.ts';

/** The configuration of the machine that a site runs on: files of PHP and of web servers. */
export interface System {
  /** A file as text; null if it is not there. @throws ConfigurationError if it cannot be read, or is too large */
  text(file: string): Promise<string | null>;
  /** The names in a folder, in the order of their bytes; none if it is not there. */
  list(folder: string): Promise<string[]>;
  /** A path without symbolic links; the path itself if it is not there. */
  real(path: string): Promise<string>;
  /** The files that a pattern with `*`, `?` and `[…]` names, as `glob()` of C finds them. */
  glob(pattern: string): Promise<string[]>;
}

/** Files and folders of one look at the configuration. */
const mostFiles = 2000;

/** @param root where the files are, if that is not `/`. A path that begins with it is found, too */
export function openSystem(root = '/'): System {
  let files = 0;
  let bytes = 0;
  const isInside = (file: string) => root !== '/' && file.startsWith(`${root}/`);
  const at = (file: string) => (isInside(file) ? file : join(root, file));
  const counted = (file: string) => {
    if (++files > mostFiles) throw new ConfigurationError(`${file}: one of more than ${mostFiles} files`);
  };
  const system: System = {
    async text(file) {
      counted(file);
      try {
        const found = await stat(at(file));
        if (!found.isFile()) return null;
        bytes += found.size;
        if (found.size > bounds.bytes || bytes > 16 * bounds.bytes)
          throw new ConfigurationError(`${file}: the configuration is too large`);
        const read = await readRegularFile(at(file), bounds.bytes);
        // It has been replaced meanwhile.
        if (typeof read === 'string') throw new ConfigurationError(`${file} ${read}`);
        return read.toString();
      } catch (error) {
        if (error instanceof ConfigurationError) throw error;
        const { code } = error as NodeJS.ErrnoException;
        if (code === 'ENOENT' || code === 'ENOTDIR') return null;
        throw new ConfigurationError(
          `${file} cannot be read (${code}): let the account of this server read it, or set ${option('store')} and ${option('cookieName')}`,
          { cause: error },
        );
      }
    },
    async list(folder) {
      counted(folder);
      try {
        return (await readdir(at(folder))).sort((a, b) => (a < b ? -1 : 1));
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException;
        if (code === 'ENOENT' || code === 'ENOTDIR') return [];
        throw new ConfigurationError(
          `${folder} cannot be listed (${code}): let the account of this server read it, or set ${option('store')} and ${option('cookieName')}`,
          { cause: error },
        );
      }
    },
    async real(path) {
      const found = await realpath(at(path)).catch(() => path);
      return found === path || isInside(path) || root === '/'
        ? found
        : found.replace(await realpath(root), '');
    },
    async glob(pattern) {
      let found = [''];
      for (const part of pattern.split('/').slice(1)) {
        if (!/[*?[]/.test(part)) {
          found = found.map((folder) => `${folder}/${part}`);
          continue;
        }
        const names = matching(part);
        const next: string[] = [];
        for (const folder of found) {
          for (const name of await system.list(folder || '/'))
            if (names.test(name)) next.push(`${folder}/${name}`);
        }
        found = next;
      }
      return found;
    },
  };
  return system;
}

/** A name that begins with a dot has to be named so. */
function matching(pattern: string): RegExp {
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
