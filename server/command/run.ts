import { dirname } from 'node:path';
import { parseArgs } from 'node:util';
import { ConfigurationError } from 'php-sessions';
import { examineSettings, type Finding, warning } from 'php-sessions/doctor';
import { checkLogins, startApp } from '../app.ts';
import { checkBeforeStart } from '../doctor/before-start.ts';
import { findExposedData } from '../doctor/exposed-data.ts';
import { checkClient, checkProxies } from '../doctor/server.ts';
import { UnusableHistory } from '../history/unusable.ts';
import { readClientFiles } from '../http/client-files.ts';
import { isSeparateRoot, whenSandboxForbidden } from '../limits/separate-process.ts';
import { createLog, type Log } from '../log.ts';
import { findingLines } from '../program/findings.ts';
import { howToRun, withDocs } from '../program/how-to-run.ts';
import { exit } from '../program/problem.ts';
import { type Config, ConfigError, nodeName, readConfig } from '../settings/config.ts';
import { type GivenSettings, givenSettings, usualFiles } from '../settings/file.ts';
import { unknownText } from '../settings/names.ts';

/** EX_IOERR of sysexits.h: the history or the port cannot be opened, or an unexpected error ended the server. */
const failed = 74;
/** Exit codes for a history that no restart makes usable. systemd does not restart the service after these. */
const exitFor: Partial<Record<UnusableHistory['because'], number>> = {
  data: exit.data,
  configuration: exit.configuration,
};
/** A drain ends this many ms before its promised end, even if it is not done. */
const beforeTheEnd = 500;

export const help = `${howToRun('run', '[--settings FILE] [--check]')}

Runs the chat server until SIGTERM or Ctrl-C. It logs JSON lines, and is ready when it logs "listening".

  --settings FILE  the file of settings NAME=VALUE (default ${usualFiles[0]}, otherwise ./${usualFiles[1]}).
                   The environment takes precedence
  --check          does not start the server. Checks the settings, the site, the history, the files and the port, and
                   names what only the doctor can check

Example: ${howToRun('run', '--settings /etc/php-session-chat/settings')}`;

/**
 * Runs the server. Requires the Node options in package.json, which bench/README.md describes. By default, V8 lets the
 * heap grow to a multiple of the used memory when a flood fills it with garbage. Do not set the options by
 * `v8.setFlagsFromString()`, because one in forty short-lived processes then hung at its end.
 */
export async function run(args: readonly string[], env: NodeJS.ProcessEnv): Promise<number | undefined> {
  const { values } = parseArgs({
    args: [...args],
    options: { settings: { type: 'string' }, check: { type: 'boolean', default: false } },
  });
  // The history is private, so only this account may read the files created below.
  process.umask(0o077);
  const given = givenSettings(values.settings, env);
  const config = readConfig(given.env, given.lines);
  if (values.check) {
    const logins = await checkLogins(config).catch((error: unknown) => {
      throw toConfigError(error);
    });
    return showFindings(checkBeforeStart(config, given.file, logins));
  }
  // The OpenTelemetry packages read their variables from `process.env`.
  for (const [name, value] of Object.entries(given.env))
    if (name.startsWith('OTEL_')) process.env[name] = value;
  // Each line names its server, because the logs of several servers may be merged.
  const node = config.cluster ? nodeName(config) : config.node;
  const log = createLog(config.logLevel, node);
  await reportStart(config, given, log);
  whenSandboxForbidden(() => {
    const reason =
      'The service forbids Landlock, so Node alone confines the processes that read files and pages.';
    const calls = 'landlock_create_ruleset landlock_add_rule landlock_restrict_self';
    const hint = `Add to the systemd unit of the chat: SystemCallFilter=${calls}`;
    log.warn({ reason, hint }, 'configuration problem found');
  });
  const die = (error: unknown, message: string): never => {
    log.fatal({ err: error }, message);
    process.exit((error instanceof UnusableHistory ? exitFor[error.because] : undefined) ?? failed);
  };
  process.on('uncaughtException', (error) => die(error, 'unexpected error'));

  // The start may wait for another server to end. Without a handler, PID 1 of a container ignores these signals.
  const leave = () => process.exit(0);
  for (const signal of ['SIGTERM', 'SIGINT']) process.once(signal, leave);

  const onFailure = (error: Error) => die(error, 'the history failed, stopping');
  const start = async () => startApp(config, readClientFiles(), log, onFailure);
  const app = await start().catch((error: unknown) => {
    const reason = toConfigError(error);
    if (reason instanceof ConfigError) throw reason;
    return die(reason, 'the server failed to start');
  });
  let stopping = false;
  const stop = (signal: NodeJS.Signals) => {
    if (stopping) return;
    stopping = true;
    log.info({ signal }, 'draining');
    const limit = config.drain.within - beforeTheEnd;
    setTimeout(
      () => die(new Error(`not done after ${limit} ms`), 'drain timed out, stopping'),
      limit,
    ).unref();
    app.close().then(
      () => {
        log.info('stopped');
        process.exit(0);
      },
      (error: unknown) => die(error, 'drain failed, stopping'),
    );
  };
  const { reload } = app;
  // Without a configuration to reload, SIGHUP ends the process, as when its terminal is closed.
  if (reload !== undefined)
    process.on('SIGHUP', () => void reload().catch((error: unknown) => die(error, 'unexpected error')));
  for (const signal of ['SIGTERM', 'SIGINT']) process.off(signal, leave).on(signal, stop);
  // Logged at any level, because programs that start this server wait for this line and read the port from it.
  log.child({}, { level: 'info' }).info({ host: app.host, port: app.port, pid: process.pid }, 'listening');
}

/** Prints the findings. @returns the exit code: 1 if there is a problem */
async function showFindings(findings: AsyncIterable<Finding>): Promise<number> {
  let problems = 0;
  for await (const finding of findings) {
    if (finding.level === 'problem') problems++;
    for (const line of findingLines(finding)) console.log(withDocs(line));
  }
  console.log(
    `Not checked: whether visitors reach the chat, whether the server recognises their logins, and what fails while it runs. Once it runs: ${howToRun('doctor', '--chat URL --cookie -')}`,
  );
  return problems === 0 ? 0 : 1;
}

/** Turns the error of an unusable site configuration into the error of unusable settings. Returns any other error. */
function toConfigError(error: unknown): unknown {
  if (!(error instanceof ConfigurationError)) return error;
  const advice = error.message.includes('(EACCES)')
    ? `: ${howToRun('doctor')} prints the commands that let this account read it`
    : '';
  return new ConfigError([`${error.message}${advice}`]);
}

/** Logs the settings, and warns of settings that the operator may want to correct. */
async function reportStart(config: Config, { file }: GivenSettings, log: Log): Promise<void> {
  log.info({ settings: config.shown }, 'settings');
  if (config.unknown.length > 0) {
    log.warn({ settings: config.unknown.map(unknownText) }, 'ignoring unknown settings');
  }
  const findings = [
    checkClient(),
    ...findExposedData(config, file),
    ...checkProxies(config),
    ...('ticketsOnly' in config.logins ? [] : examineSettings(config.logins)),
  ];
  if ((config.files.kind !== 'off' || config.previews) && (await isSeparateRoot())) {
    const folder = dirname(dirname(import.meta.dirname));
    findings.push(
      warning(
        `Uploaded files and linked pages are read as root, because other accounts cannot be used here or cannot read ${folder}.`,
        'Let all accounts read this folder and enter its parent folders, or run the server as a separate account.',
      ),
    );
  }
  for (const { level, text, advice } of findings) {
    if (level !== 'ok') log.warn({ reason: text, hint: advice }, 'configuration problem found');
  }
}
