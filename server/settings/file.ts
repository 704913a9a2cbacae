import { lstatSync, readFileSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { ConfigError } from './config.ts';

/** The places where settings are looked for if no file is named. The first that is there counts. */
export const usualFiles = ['/etc/php-session-chat/settings', 'settings'] as const;

/** Bytes. */
const largest = 1024 * 1024;

/** The settings of a program: those of its environment, and below them those of a file. */
export interface GivenSettings {
  env: NodeJS.ProcessEnv;
  /** For each setting that a file has given: the file and the line. */
  lines: ReadonlyMap<string, string>;
  /** The path of that file, if there is one. */
  file?: string;
}

/**
 * Adds the settings of a file to those of the environment, which win. An empty variable counts as not set.
 * @param named the file of `--settings`, empty for none; undefined for the first of the usual files that is there
 * @throws ConfigError that names the file and the line, and no value
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
      // A service manager reads the file itself, which may be for its eyes alone.
      if (code === 'EACCES' && (env.CHAT_SITE || env.CHAT_SESSION_STORE)) continue;
      throw unreadable(file, code);
    }
  }
  return null;
}

/**
 * Nobody has named the file: in a folder such as /tmp it may be of anybody who waits for a server or a doctor there.
 * @throws ConfigError
 */
function refuseForeign(path: string): void {
  const { uid } = lstatSync(path);
  const isOpen = (statSync(dirname(path)).mode & 0o002) !== 0;
  if (!isOpen || [0, process.geteuid?.()].includes(uid)) return;
  throw new ConfigError([
    `${path} belongs to another account, in a folder where everybody may write: name the file by --settings, or start this in another folder`,
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
  if (bytes.length > largest) throw new ConfigError([`${path}: larger than ${largest} bytes`]);
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new ConfigError([`${path}: it is not a text in UTF-8`]);
  }
}

const blank = /[ \t]/;
const newline = /[\n\r]/;

/**
 * Reads lines `NAME=value` as systemd reads the file of `EnvironmentFile=` (parse_env_file_internal() in its
 * src/basic/env-file.c): `#` and `;` begin a comment, `'…'` stands as it is, in `"…"` a backslash goes before `"`, `\`,
 * `$` and a backtick, and at the end of a line it joins the next one. Of a name that stands twice the last value counts.
 * Lines that systemd ignores are errors here: a setting that is ignored may be the one that keeps people out.
 * @throws ConfigError that names all such lines
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

  /** Up to the closing quote. */
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

  /** The value behind `=`; null if a quote has no end. */
  function value(): string | null {
    let all = '';
    // Blanks at the end do not count, unless they are quoted or escaped.
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
      wrong(start, 'it is neither NAME=value nor a comment, which begins with #');
      continue;
    }
    const isName = /^[A-Za-z_][A-Za-z0-9_]*$/.test(name);
    const given = value();
    if (given === null) wrong(start, `${isName ? `${name}: ` : ''}a quote has no end`);
    else if (!isName) wrong(start, 'a name before = has other characters than A-Z a-z 0-9 _');
    else if (given.includes('\0')) wrong(start, `${name}: it has a zero byte in it`);
    else found.set(name, { value: given, line: start });
  }
  if (problems.length > 0) throw new ConfigError(problems);
  return found;
}
