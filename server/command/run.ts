import { dirname } from 'node:path';
import { parseArgs } from 'node:util';
import { ConfigurationError } from 'php-sessions';
import { examineSettings } from 'php-sessions/doctor';
import { startApp } from '../app.ts';
import { findExposedData } from '../doctor/exposed-data.ts';
import { warning } from '../doctor/finding.ts';
import { checkClient, checkProxies } from '../doctor/server.ts';
import { readClientFiles } from '../http/client-files.ts';
import { isSeparateRoot, whenSandboxForbidden } from '../limits/separate-process.ts';
import { createLog, type Log } from '../log.ts';
import { howToRun } from '../program/how-to-run.ts';
import { type Config, ConfigError, listSettings, nodeName, readConfig } from '../settings/config.ts';
import { type GivenSettings, givenSettings, usualFiles } from '../settings/file.ts';
import { unknownText } from '../settings/names.ts';

/** EX_IOERR: the history or the port cannot be opened, or an unexpected error has ended the server. */
const failed = 74;
/** Milliseconds before the promised end of a drain at which it is cut short. */
const beforeTheEnd = 500;

export const help = `${howToRun('run', '[--settings FILE] [--check]')}

Runs the chat server until SIGTERM or Ctrl-C. It logs lines of JSON, and is ready at the one with "listening".

  --settings FILE  the file of settings NAME=VALUE; without it ${usualFiles[0]}, else ./${usualFiles[1]}.
                   Those of the environment go before
  --check          says whether the settings can be used, and runs nothing

Example: ${howToRun('run', '--settings /etc/php-session-chat/settings')}`;

/**
 * Must be run with the options of Node in package.json: after a flood the heap is full of garbage, and V8 by itself
 * lets it grow to a multiple of what is in use. bench/README.md describes them. Do not set them by
 * `v8.setFlagsFromString()`: one in forty short-lived processes then hung at its end.
 */
export async function run(args: readonly string[], env: NodeJS.ProcessEnv): Promise<number | undefined> {
  const { values } = parseArgs({
    args: [...args],
    options: { settings: { type: 'string' }, check: { type: 'boolean', default: false } },
  });
  // The history is private: files created from here on are readable by this user alone.
  process.umask(0o077);
  const given = givenSettings(values.settings, env);
  const config = readConfig(given.env, given.lines);
  if (values.check) return 0;
  // The packages of OpenTelemetry look for their variables there.
  for (const [name, value] of Object.entries(given.env))
    if (name.startsWith('OTEL_')) process.env[name] = value;
  // Where the logs of several servers are merged, each line names its server.
  const node = config.cluster ? nodeName(config) : config.node;
  const log = createLog(config.logLevel, node);
  await reportStart(config, given, log);
  whenSandboxForbidden(() => {
    const reason =
      'The service forbids Landlock, so Node alone confines the processes that read files and pages.';
    const calls = 'landlock_create_ruleset landlock_add_rule landlock_restrict_self';
    const hint = `Add to the systemd unit of the chat: SystemCallFilter=${calls}`;
    log.warn({ reason, hint }, 'this should be corrected');
  });
  const die = (error: unknown, message: string): never => {
    log.fatal({ err: error }, message);
    process.exit(failed);
  };
  process.on('uncaughtException', (error) => die(error, 'unexpected error'));

  // It may wait for the end of another server. Without a handler, the first process of a container ignores them.
  const leave = () => process.exit(0);
  for (const signal of ['SIGTERM', 'SIGINT']) process.once(signal, leave);

  const onFailure = (error: Error) => die(error, 'the history has failed');
  const start = async () => startApp(config, readClientFiles(), log, onFailure);
  const app = await start().catch((error: unknown) => {
    if (error instanceof ConfigurationError) throw new ConfigError([error.message]);
    return die(error, 'the server cannot start');
  });
  let stopping = false;
  const stop = (signal: NodeJS.Signals) => {
    if (stopping) return;
    stopping = true;
    log.info({ signal }, 'draining');
    const limit = config.drain.within - beforeTheEnd;
    setTimeout(() => die(new Error(`not done after ${limit} ms`), 'the drain was cut short'), limit).unref();
    app.close().then(
      () => {
        log.info('stopped');
        process.exit(0);
      },
      (error: unknown) => die(error, 'the drain failed'),
    );
  };
  const { reload } = app;
  // With no configuration to read, it ends the process, as when its terminal is closed.
  if (reload !== undefined)
    process.on('SIGHUP', () => void reload().catch((error: unknown) => die(error, 'unexpected error')));
  for (const signal of ['SIGTERM', 'SIGINT']) process.off(signal, leave).on(signal, stop);
  // At any log level, because a program that starts this server waits for this line and reads the port from it.
  log.child({}, { level: 'info' }).info({ host: app.host, port: app.port, pid: process.pid }, 'listening');
}

/** Logs at the start what the server runs with, and warns of settings that the operator may want to correct. */
async function reportStart(config: Config, { env, lines, file }: GivenSettings, log: Log): Promise<void> {
  const set = listSettings(env, lines).filter(({ from, value }) => from !== 'default' && value !== '');
  log.info({ settings: Object.fromEntries(set.map(({ name, value }) => [name, value])) }, 'settings');
  if (config.unknown.length > 0) {
    log.warn({ settings: config.unknown.map(unknownText) }, 'unknown settings have no effect');
  }
  const findings = [
    checkClient(),
    ...findExposedData(config, file),
    ...checkProxies(config),
    ...examineSettings(config.logins),
  ];
  if ((config.files.kind !== 'off' || config.previews) && (await isSeparateRoot())) {
    const folder = dirname(dirname(import.meta.dirname));
    findings.push(
      warning(
        `Uploaded files and linked pages are read as root, because other accounts cannot be used here or cannot read ${folder}.`,
        'Let all accounts read this folder and enter those above it, or start the server as an account of its own.',
      ),
    );
  }
  for (const { level, text, advice } of findings) {
    if (level !== 'ok') log.warn({ reason: text, hint: advice }, 'this should be corrected');
  }
}
