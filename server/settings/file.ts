import { lstatSync, readFileSync, statSync } from 'node:fs';
import { basename, dirname, resolve } from 'node:path';
import { ConfigError } from './config.ts';

/** The default paths of the settings file. The first existing file is used. */
export const usualFiles = ['/etc/php-session-chat/settings', 'settings'] as const;

/** Returns the service that reads a settings file, and the file of its unit. Undefined for other settings files. */
export function findService(settings: string): { service: string; unit: string } | undefined {
  const name = 'php-session-chat';
  if (settings === usualFiles[0]) return { service: name, unit: `${name}.service` };
  const site = /^([\w.-]+)\.conf$/.exec(basename(settings))?.[1];
  if (site === undefined || dirname(settings) !== dirname(usualFiles[0])) return undefined;
  return { service: `${name}@${site}`, unit: `${name}@.service` };
}

/** The maximum size of a settings file in bytes. */
const largest = 1024 * 1024;

/** Settings from the environment and from a settings file. */
export interface GivenSettings {
  env: NodeJS.ProcessEnv;
  /** The file and line of each setting from the file, such as `PATH line 3`. */
  lines: ReadonlyMap<string, string>;
  /** The path of the settings file. Absent without a file. */
  file?: string;
}

/**
 * Adds the settings of a file to the environment, which takes precedence. An empty variable counts as not set.
 * @param named the file of `--settings`, or empty for no file; if undefined, the first of `usualFiles` that exists
 * @throws ConfigError with the file and the lines, without values
 */
export function givenSettings(named: string | undefined, env: NodeJS.ProcessEnv): GivenSettings {
  const merged = { ...env };
  const lines = new Map<string, string>();
  const found = named === undefined ? usualFile(env) : named === '' ? null : fileOf(named);
  if (found === null) return { env: merged, lines };
  const { path, bytes } = found;
  for (const [name, { value, line }] of parseSettings(textOf(bytes, path), path)) {
    if (merged[name]) continue;
    merged[name] = value;
    lines.set(name, `${path} line ${line}`);
  }
  return { env: merged, lines, file: path };
}

function usualFile(env: NodeJS.ProcessEnv): { path: string; bytes: Buffer } | null {
  for (const file of usualFiles) {
    try {
      refuseForeign(resolve(file));
      return { path: resolve(file), bytes: readFileSync(file) };
    } catch (error) {
      if (error instanceof ConfigError) throw error;
      const { code = '' } = error as NodeJS.ErrnoException;
      if (['ENOENT', 'ENOTDIR', 'EISDIR'].includes(code)) continue;
      // A service manager may have read the file already, and this account may not be allowed to.
      if (code === 'EACCES' && (env.CHAT_SITE || env.CHAT_SESSION_STORE)) continue;
      throw unreadable(file, code);
    }
  }
  return null;
}

/**
 * Rejects a default file of another account in a folder that all accounts can write to. In a folder such as /tmp it may
 * be planted for a server or doctor that starts there.
 * @throws ConfigError
 */
function refuseForeign(path: string): void {
  const { uid } = lstatSync(path);
  const isOpen = (statSync(dirname(path)).mode & 0o002) !== 0;
  if (!isOpen || [0, process.geteuid?.()].includes(uid)) return;
  throw new ConfigError([
    `${path} belongs to another account, in a folder that all accounts may write to: pass the file with --settings, or run this in another folder`,
  ]);
}

function fileOf(file: string): { path: string; bytes: Buffer } {
  try {
    return { path: resolve(file), bytes: readFileSync(file) };
  } catch (error) {
    throw unreadable(file, (error as NodeJS.ErrnoException).code);
  }
}

const unreadable = (file: string, code: string | undefined) =>
  new ConfigError([`${resolve(file)} cannot be read (${code})`]);

function textOf(bytes: Buffer, path: string): string {
  if (bytes.length > largest) throw new ConfigError([`${path} is larger than ${largest} bytes`]);
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new ConfigError([`${path} is not UTF-8 text`]);
  }
}

const blank = /[ \t]/;
const newline = /[\n\r]/;

/**
 * Parses lines `NAME=value` like systemd parses a file of `EnvironmentFile=` (parse_env_file_internal() in its
 * src/basic/env-file.c). `#` and `;` start a comment. `'…'` is literal. In `"…"` a backslash escapes `"`, `\`, `$` and
 * a backtick, without quotes any character. A backslash before a line feed joins the lines. The last value of a name
 * counts. Lines that systemd ignores are errors here, because an ignored setting may be one that restricts access.
 * @throws ConfigError with all such lines
 */
export function parseSettings(text: string, path: string): Map<string, { value: string; line: number }> {
  const found = new Map<string, { value: string; line: number }>();
  const problems: string[] = [];
  let at = 0;
  let line = 1;
  const next = (): string => {
    const character = text[at++] ?? '';
    if (character === '\n') line++;
    return character;
  };
  const wrong = (where: number, what: string) => void problems.push(`${path} line ${where}: ${what}`);
  const isLineEnd = (character: string) => character === '' || newline.test(character);

  /** Reads up to the closing quote. Returns null if the quote is not closed. */
  function quoted(quote: string): string | null {
    let value = '';
    for (;;) {
      if (at >= text.length) return null;
      const character = next();
      if (character === quote) return value;
      if (character !== '\\' || quote === "'") {
        value += character;
        continue;
      }
      if (at >= text.length) return null;
      const escaped = next();
      if (/["\\`$]/.test(escaped)) value += escaped;
      else if (escaped !== '\n') value += `\\${escaped}`;
    }
  }

  /** Reads the value after `=`. Returns null if a quote is not closed. */
  function value(): string | null {
    let all = '';
    // Trailing blanks are removed, unless they are quoted or escaped.
    let length = 0;
    let isBare = false;
    for (;;) {
      const character = next();
      if (isLineEnd(character)) return all.slice(0, isBare ? length : undefined);
      if (!isBare && blank.test(character)) continue;
      if (!isBare && (character === "'" || character === '"')) {
        const part = quoted(character);
        if (part === null) return null;
        all += part;
        continue;
      }
      isBare = true;
      if (character === '\\') {
        const escaped = next();
        if (!isLineEnd(escaped)) all += escaped;
        length = all.length;
      } else {
        all += character;
        if (!blank.test(character)) length = all.length;
      }
    }
  }

  function comment(): void {
    for (let character = next(); !isLineEnd(character); character = next());
  }

  while (at < text.length) {
    const first = next();
    if (blank.test(first) || newline.test(first)) continue;
    if (first === '#' || first === ';') {
      comment();
      continue;
    }
    const start = line;
    let name = first;
    let character = first;
    while (character !== '=') {
      character = next();
      if (isLineEnd(character)) break;
      if (character !== '=') name += character;
    }
    name = name.replace(/[ \t]+$/, '');
    if (character !== '=') {
      wrong(start, 'the line is neither NAME=value nor a comment, which begins with #');
      continue;
    }
    const isName = /^[A-Za-z_][A-Za-z0-9_]*$/.test(name);
    const given = value();
    if (given === null) wrong(start, `${isName ? `${name}: ` : ''}a quote is not closed`);
    else if (!isName) wrong(start, 'the name before = may contain only A-Z a-z 0-9 _');
    else if (given.includes('\0')) wrong(start, `${name}: the value contains a zero byte`);
    else found.set(name, { value: given, line: start });
  }
  if (problems.length > 0) throw new ConfigError(problems);
  return found;
}
