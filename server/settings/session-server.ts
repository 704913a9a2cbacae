import { createHash, timingSafeEqual } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { resolve } from 'node:path';
import { createSecureContext } from 'node:tls';
import { containers, defaultSocket, type OpenContainer } from 'php-session-server';
import { z } from 'zod';
import { CommandProblem, exit } from '../program/problem.ts';
import { apiKey, count, duration, readEach, readTexts, size, type Texts } from './forms.ts';
import { addUnknown, unknownSettings } from './names.ts';

/** Invalid settings. The message lists all of them. */
class SettingsError extends CommandProblem {
  constructor(problems: readonly string[]) {
    super(
      exit.configuration,
      `Settings that cannot be used:\n${problems.map((problem) => `  ${problem}`).join('\n')}`,
    );
    this.name = 'SettingsError';
  }
}

const number = (least: number, most: number) => count.pipe(z.int().min(least).max(most));
const onOff = z.enum(['on', 'off']).transform((value) => value === 'on');
const someBytes = size.refine((bytes) => bytes > 0);
const digest = (text: string) => createHash('sha256').update(text).digest();

/** Reads a file. Errors never contain its content, which may be a key. */
const file = <T>(read: (content: string) => T) =>
  z.string().transform((path, context) => {
    if (path === '') return undefined;
    try {
      return read(readFileSync(path, 'utf8'));
    } catch {
      context.addIssue('it cannot be read, or its content is invalid');
      return z.NEVER;
    }
  });

/** Linux limits the path of a socket. */
const maxSocketPathBytes = 107;

/** The definitions of all settings. */
const settings = {
  SESSION_SERVER_HOST: [
    '127.0.0.1',
    z.string().refine((value) => isIP(value) !== 0 || /^[A-Za-z0-9.-]+$/.test(value)),
    'an address or a host name',
  ],
  SESSION_SERVER_PORT: ['9090', number(0, 65_535), 'a port, 0 to 65535'],
  SESSION_SERVER_SOCKET: [
    defaultSocket,
    z
      .string()
      .transform((path) => resolve(path))
      .refine((path) => Buffer.byteLength(path) <= maxSocketPathBytes),
    `a path of up to ${maxSocketPathBytes} bytes, including its folders`,
  ],
  SESSION_SERVER_CONTAINER: [
    'memory:',
    z.string().transform((url, context) => {
      const container = parseContainer(url);
      if (container !== null) return container;
      context.addIssue('no container');
      return z.NEVER;
    }),
    Object.keys(containers).join(', '),
  ],
  SESSION_SERVER_LIFETIME: [
    '1440',
    z
      .string()
      .regex(/^\d{1,9}$/)
      .transform(Number)
      .pipe(z.int().max(315_360_000)),
    'seconds, 0 (forever) to 315360000',
  ],
  SESSION_SERVER_LOCK_TIMEOUT: ['20s', duration, 'a duration such as 20s, 10ms to 24h'],
  SESSION_SERVER_LOCK_HOLD: ['60s', duration, 'a duration such as 60s, 10ms to 24h'],
  SESSION_SERVER_COLLECT: ['60s', duration, 'a duration such as 60s, 10ms to 24h'],
  SESSION_SERVER_FIRST_COMMAND: ['30s', duration, 'a duration such as 30s, 10ms to 24h'],
  SESSION_SERVER_LINE_TIME: ['60s', duration, 'a duration such as 60s, 10ms to 24h'],
  SESSION_SERVER_AUTH_FILE: [
    '',
    file((content) => digest(apiKey.parse(content.trim()))),
    'the path of a file with a token of 16 characters or more, without blanks',
    'key file',
  ],
  SESSION_SERVER_TLS_CERT: ['', file(String), 'the path of a certificate in PEM form'],
  SESSION_SERVER_TLS_KEY: [
    '',
    file(String),
    'the path of the key of the certificate in PEM form',
    'key file',
  ],
  SESSION_SERVER_HELP_PHP: ['off', onOff, 'on or off'],
  SESSION_SERVER_MEMORY: ['256MB', someBytes, 'a size such as 256MB'],
  SESSION_SERVER_BUFFER: ['128MB', someBytes, 'a size such as 128MB'],
  SESSION_SERVER_SESSION_SIZE: [
    '1MB',
    someBytes.pipe(z.int().max(64 * 1024 * 1024)),
    'a size such as 512KB or 1MB, up to 64MB',
  ],
  SESSION_SERVER_SESSIONS: ['1000000', number(1, 9_999_999), '1 to 9999999'],
  SESSION_SERVER_CONNECTIONS: ['5000', number(1, 100_000), '1 to 100000'],
  SESSION_SERVER_WAITERS: ['2000', number(0, 100_000), '0 to 100000'],
  SESSION_SERVER_WAITERS_SESSION: ['500', number(0, 100_000), '0 to 100000'],
  SESSION_SERVER_LOG_LEVEL: [
    'info',
    z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']),
    'fatal, error, warn, info, debug, trace or silent',
  ],
} as const;

type Parsed = { [K in keyof typeof settings]: z.output<(typeof settings)[K][1]> };

export type Settings = ReturnType<typeof readSettings>;

/**
 * Reads the settings from the environment, all at once.
 * @throws SettingsError with all invalid settings
 */
export function readSettings(env: NodeJS.ProcessEnv) {
  const { texts, problems: flaws } = readTexts(Object.keys(settings), env);
  if (flaws.length > 0) throw new SettingsError(flaws);
  const { parsed, problems } = readEach(settings, texts);
  const value = parsed as Partial<Parsed>;
  const { SESSION_SERVER_AUTH_FILE: token, SESSION_SERVER_HOST: host = '' } = value;
  const port = opensPort(texts);
  // Anyone who reaches the port can read and change every session.
  if (!texts.SESSION_SERVER_AUTH_FILE && port && host !== '' && !isLoopback(host)) {
    problems.push(
      `SESSION_SERVER_HOST: ${JSON.stringify(host)} can be reached from other machines; set SESSION_SERVER_AUTH_FILE, or use 127.0.0.1, ::1 or localhost`,
    );
  }
  if (!texts.SESSION_SERVER_TLS_CERT !== !texts.SESSION_SERVER_TLS_KEY) {
    problems.push('SESSION_SERVER_TLS_CERT and SESSION_SERVER_TLS_KEY: give both, or none');
  }
  const tls = readTls(value);
  if (tls === null)
    problems.push(
      'SESSION_SERVER_TLS_CERT and SESSION_SERVER_TLS_KEY: the key does not match the certificate',
    );
  const unknown = unknownSettings(env, 'SESSION_SERVER_', Object.keys(settings));
  addUnknown(problems, unknown);
  if (problems.length > 0) throw new SettingsError(problems);
  const socket = Boolean(texts.SESSION_SERVER_SOCKET) || !port;
  return Object.freeze({
    ...settingsOf(parsed as Parsed, { port, socket }, tls ?? undefined, token),
    /** Names that look like settings but are unknown to this version. */
    unknown,
  });
}

/** Whether to open the port: if it is set, or if the host or the certificate is set and the socket is not. */
function opensPort(texts: Texts): boolean {
  if (texts.SESSION_SERVER_PORT) return true;
  return !texts.SESSION_SERVER_SOCKET && Boolean(texts.SESSION_SERVER_HOST || texts.SESSION_SERVER_TLS_CERT);
}

function settingsOf(
  value: Parsed,
  open: { port: boolean; socket: boolean },
  tls: { cert: string; key: string } | undefined,
  token: Buffer | undefined,
) {
  return {
    /** Null if the server listens only on the socket. */
    listen: open.port ? { host: value.SESSION_SERVER_HOST, port: value.SESSION_SERVER_PORT } : null,
    /** Undefined if the server listens only on the port. */
    socket: open.socket ? value.SESSION_SERVER_SOCKET : undefined,
    tls,
    container: value.SESSION_SERVER_CONTAINER,
    lifetimeSeconds: value.SESSION_SERVER_LIFETIME,
    lockTimeoutMs: value.SESSION_SERVER_LOCK_TIMEOUT,
    lockHoldMs: value.SESSION_SERVER_LOCK_HOLD,
    collectIntervalMs: value.SESSION_SERVER_COLLECT,
    firstCommandTimeoutMs: value.SESSION_SERVER_FIRST_COMMAND,
    lineTimeoutMs: value.SESSION_SERVER_LINE_TIME,
    /** Compares digests, so that the time reveals neither the length nor the content of the token. */
    isToken: token === undefined ? null : (given: string) => timingSafeEqual(digest(given), token),
    helpPhp: value.SESSION_SERVER_HELP_PHP,
    maxMemoryBytes: value.SESSION_SERVER_MEMORY,
    maxBufferBytes: value.SESSION_SERVER_BUFFER,
    maxSessionBytes: value.SESSION_SERVER_SESSION_SIZE,
    maxSessions: value.SESSION_SERVER_SESSIONS,
    maxConnections: value.SESSION_SERVER_CONNECTIONS,
    maxWaiters: value.SESSION_SERVER_WAITERS,
    maxWaitersPerSession: value.SESSION_SERVER_WAITERS_SESSION,
    logLevel: value.SESSION_SERVER_LOG_LEVEL,
  };
}

/** Parses the URL of a container. @returns null if the URL does not match a container */
function parseContainer(url: string): { open: OpenContainer; path: string } | null {
  for (const [form, open] of Object.entries(containers)) {
    const scheme = form.replace('PATH', '');
    const path = url.slice(scheme.length);
    if (url.startsWith(scheme) && (form !== scheme) === (path !== '')) return { open, path };
  }
  return null;
}

/**
 * Reads the certificate and its key.
 * @returns undefined without a certificate or key; null if the key does not match the certificate
 */
function readTls(value: Partial<Parsed>): { cert: string; key: string } | undefined | null {
  const { SESSION_SERVER_TLS_CERT: cert, SESSION_SERVER_TLS_KEY: key } = value;
  if (cert === undefined || key === undefined) return undefined;
  try {
    createSecureContext({ cert, key });
    return { cert, key };
  } catch {
    return null;
  }
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'));
}
