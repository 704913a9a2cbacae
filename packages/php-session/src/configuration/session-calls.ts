import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { IniValue } from './ini.ts';
import { readRegularFile } from './regular-file.ts';
import { bounds } from './value.ts';

/** A call in the code of a site that changes a setting of sessions, such as `session_name('ID')`. */
export interface SessionCall {
  /** The setting, as php.ini names it. */
  name: string;
  value: IniValue;
  /** The function. */
  by: string;
  file: string;
  line: number;
}

/** Bounds of one look. Files near the folder come first. */
const most = { files: 5000, depth: 8, bytes: 32 * bounds.bytes };

/**
 * Code of others, which a site may have without using it, and what is no code. Where visitors put files they would choose the
 * place of the sessions.
 */
const left =
  /^(?:\..*|vendor|node_modules|tests?|cache|tmp|var|storage|docs?|.*uploads?|upload.*|files|media|images?|img|pictures?|photos?|avatars?|attachments?|downloads?)$/i;

/** Most files have no such call, so they need not be parsed. */
const candidate =
  /\bsession_(?:name|save_path|module_name|set_save_handler|start)\s*\(\s*[^)\s]|\bini_(?:set|alter)\s*\(\s*['"](?:session|memcached?|redis)\./i;

/** The PHP files of a folder that may have such a call. */
export async function filesWithCalls(folder: string): Promise<string[]> {
  const found: string[] = [];
  let bytes = 0;
  let files = 0;
  let folders = [folder];
  const isOpen = async (path: string) => (((await stat(path).catch(() => null))?.mode ?? 0) & 0o002) !== 0;
  // Where the whole site is open, as in some containers, its code is.
  const allOpen = await isOpen(folder);
  for (let depth = 0; depth < most.depth && folders.length > 0; depth++) {
    const next: string[] = [];
    for (const at of folders) {
      if (!allOpen && (await isOpen(at))) continue;
      const entries = await readdir(at, { withFileTypes: true }).catch(() => []);
      for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
        const path = join(at, entry.name);
        if (entry.isDirectory() && !left.test(entry.name) && next.length < most.files) next.push(path);
        if (!entry.isFile() || !/\.(?:php|inc)$/i.test(entry.name)) continue;
        const read = await readRegularFile(path, bounds.bytes).catch(() => '');
        if (typeof read === 'string') continue;
        bytes += read.length;
        if (++files > most.files || bytes > most.bytes) return found;
        if (candidate.test(read.toString('latin1'))) found.push(path);
      }
    }
    folders = next;
  }
  return found;
}
