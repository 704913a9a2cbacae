import { dirname } from 'node:path';
import { startSessionServer } from 'php-session-server';
import { createLog, QuietLog } from '../log.ts';
import { unknownText } from '../settings/names.ts';
import { readSettings } from '../settings/session-server.ts';

/** EX_IOERR of sysexits.h: the container or the port cannot be opened, or an unexpected error has ended the process. */
const failed = 74;
/** Milliseconds. The documentation promises that the server stops within 10 s. */
const closeLimit = 9000;

/** @throws SettingsError */
export async function runSessionServer(env: NodeJS.ProcessEnv): Promise<void> {
  // Sessions are private: only this user can read the files that are created from here on.
  process.umask(0o077);
  const settings = readSettings(env);
  const log = createLog(settings.logLevel);
  const quiet = new QuietLog(log);
  const die = (error: unknown, message: string): never => {
    log.fatal(withoutFile(error), message);
    process.exit(failed);
  };
  process.on('uncaughtException', (error) => die(error, 'unexpected error'));

  const server = await startSessionServer(settings, (...event) => quiet.warn(...event)).catch(
    (error: unknown) => die(error, 'the session server cannot start'),
  );
  let stopping = false;
  const stop = (signal: NodeJS.Signals) => {
    if (stopping) return;
    stopping = true;
    log.info({ signal }, 'stopping');
    setTimeout(
      () =>
        die(
          new Error(`still stopping after ${closeLimit} ms`),
          'the session server did not stop in time, and was ended',
        ),
      closeLimit,
    ).unref();
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
  // At any log level: a program that starts this server waits for this line, and reads the port from it.
  const where = { ...server.listening, ...(settings.socket && { socket: settings.socket }) };
  log.child({}, { level: 'info' }).info({ ...where, pid: process.pid }, 'listening');
  if (settings.unknown.length > 0) {
    log.warn({ settings: settings.unknown.map(unknownText) }, 'unknown settings have no effect');
  }
  if (settings.listen !== null && settings.isToken === null) {
    log.warn(
      'every program on this machine can read and change all sessions through the port: set SESSION_SERVER_AUTH_FILE, or unset SESSION_SERVER_PORT to use a socket',
    );
  }
}

/** The parts of an error that may be logged: the name of a session's file is its ID. */
function withoutFile(error: unknown): object {
  const { syscall, code, path } = error as NodeJS.ErrnoException;
  return path === undefined ? { err: error } : { reason: `${syscall}: ${code}`, folder: dirname(path) };
}
