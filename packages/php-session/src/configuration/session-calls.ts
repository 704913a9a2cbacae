import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { IniValue } from './ini.ts';
import { readRegularFile } from './regular-file.ts';
import { bounds } from './value.ts';

/** A call in the code of a site that changes a session setting, such as `session_name('ID')`. */
export interface SessionCall {
  /** The name of the setting in php.ini. */
  name: string;
  value: IniValue;
  /** The called function. */
  by: string;
  file: string;
  line: number;
}

/** The limits of one search. Upper folders are read first. */
const maxFiles = 5000;
const maxDepth = 8;
const maxBytes = 32 * bounds.bytes;

/**
 * Folders without code, or with code that the site might not use. Code that visitors may upload must not select the
 * session store.
 */
const skippedFolder =
  /^(?:\..*|vendor|node_modules|tests?|cache|tmp|var|storage|docs?|.*uploads?|upload.*|files|media|images?|img|pictures?|photos?|avatars?|attachments?|downloads?)$/i;

/** A fast test before parsing, because most files have no such call. */
const callPattern =
  /\bsession_(?:name|save_path|module_name|set_save_handler|start)\s*\(\s*[^)\s]|\bini_(?:set|alter)\s*\(\s*['"](?:session|memcached?|redis)\./i;

/**
 * Finds PHP files in a folder that match `callPattern`. Folders that are skipped, and files beyond the limits, are missing.
 */
export async function findFilesWithCalls(folder: string): Promise<string[]> {
  const matches: string[] = [];
  let bytes = 0;
  let files = 0;
  let folders = [folder];
  const isWorldWritable = async (path: string) =>
    (((await stat(path).catch(() => null))?.mode ?? 0) & 0o002) !== 0;
  // World-writable folders are skipped, unless the site's folder is world-writable, as in some containers.
  const allowsWritable = await isWorldWritable(folder);
  for (let depth = 0; depth < maxDepth && folders.length > 0; depth++) {
    const next: string[] = [];
    for (const parent of folders) {
      if (!allowsWritable && (await isWorldWritable(parent))) continue;
      const entries = await readdir(parent, { withFileTypes: true }).catch(() => []);
      for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
        const path = join(parent, entry.name);
        if (entry.isDirectory() && !skippedFolder.test(entry.name) && next.length < maxFiles) next.push(path);
        if (!entry.isFile() || !/\.(?:php|inc)$/i.test(entry.name)) continue;
        const content = await readRegularFile(path, bounds.bytes).catch(() => '');
        if (typeof content === 'string') continue;
        bytes += content.length;
        if (++files > maxFiles || bytes > maxBytes) return matches;
        if (callPattern.test(content.toString('latin1'))) matches.push(path);
      }
    }
    folders = next;
  }
  return matches;
}
