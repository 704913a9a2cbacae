import { dirname } from 'node:path';
import { parseArgs } from 'node:util';
import { startSessionServer } from 'php-session-server';
import { createLog, QuietLog } from '../log.ts';
import { howToRun } from '../program/how-to-run.ts';
import { unknownText } from '../settings/names.ts';
import { readSettings } from '../settings/session-server.ts';

/** EX_IOERR of sysexits.h: the container or the port cannot be opened, or the process ended on an unexpected error. */
const ioError = 74;
/** docs/session-server.md promises that the server stops within 10 s. */
const closeTimeoutMs = 9000;

export const help = `${howToRun('session-server', '[--settings FILE]')}

Runs the session server, which stores the sessions of PHP sites: docs/session-server.md.

  --settings FILE  a file of settings SESSION_SERVER_…=VALUE; the environment takes precedence

Example: SESSION_SERVER_CONTAINER=file:/var/lib/php-sessions ${howToRun('session-server')}`;

/** Runs the session server. @throws SettingsError */
export async function run(args: readonly string[], env: NodeJS.ProcessEnv): Promise<undefined> {
  const { values } = parseArgs({ args: [...args], options: { settings: { type: 'string' } } });
  // Without --settings no file is read, because the default files hold the settings of the chat.
  await runServer(values.settings === undefined ? env : await addFile(values.settings, env));
}

/** Adds the settings in a file. Imports on demand, because the module loads all settings of the chat. */
async function addFile(file: string, env: NodeJS.ProcessEnv): Promise<NodeJS.ProcessEnv> {
  const { givenSettings } = await import('../settings/file.ts');
  return givenSettings(file, env).env;
}

async function runServer(env: NodeJS.ProcessEnv): Promise<void> {
  // Sessions are private: only this account may read the files created below.
  process.umask(0o077);
  const settings = readSettings(env);
  const log = createLog(settings.logLevel);
  const quietLog = new QuietLog(log);
  const die = (error: unknown, message: string): never => {
    log.fatal(withoutFile(error), message);
    process.exit(ioError);
  };
  process.on('uncaughtException', (error) => die(error, 'unexpected error'));

  const server = await startSessionServer(settings, (...event) => quietLog.warn(...event)).catch(
    (error: unknown) => die(error, 'the session server cannot start'),
  );
  let isStopping = false;
  const stop = (signal: NodeJS.Signals) => {
    if (isStopping) return;
    isStopping = true;
    log.info({ signal }, 'stopping');
    setTimeout(() => {
      const error = new Error(`still stopping after ${closeTimeoutMs} ms`);
      die(error, 'the session server did not stop in time, and was ended');
    }, closeTimeoutMs).unref();
    server.close().then(
      () => {
        log.info('stopped');
        process.exit(0);
      },
      (error: unknown) => die(error, 'the session server could not stop cleanly'),
    );
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
  // Logged at any level, because programs that start this server read the port from this line.
  const addresses = { ...server.address, ...(settings.socket && { socket: settings.socket }) };
  log.child({}, { level: 'info' }).info({ ...addresses, pid: process.pid }, 'listening');
  if (settings.unknown.length > 0)
    log.warn({ settings: settings.unknown.map(unknownText) }, 'ignoring unknown settings');
  if (settings.listen !== null && settings.isToken === null)
    log.warn(
      'every program on this machine can read and change all sessions through the port: set SESSION_SERVER_AUTH_FILE, or unset SESSION_SERVER_PORT to use a socket',
    );
}

/** Removes the name of a session's file, because it is the session ID. */
function withoutFile(error: unknown): object {
  const { syscall, code, path } = error as NodeJS.ErrnoException;
  return path === undefined ? { err: error } : { reason: `${syscall}: ${code}`, folder: dirname(path) };
}
