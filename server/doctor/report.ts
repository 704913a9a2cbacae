import { accessSync, constants, existsSync, realpathSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { ConfigurationError, openLogins } from 'php-sessions';
import {
  examineLogins,
  type Finding,
  findCookieName,
  findKind,
  grants,
  ok,
  type SiteFiles,
  warning,
} from 'php-sessions/doctor';
import { Addresses } from '../connections/address.ts';
import { findingLines, withoutRenewal } from '../program/findings.ts';
import { howToRun } from '../program/how-to-run.ts';
import { CommandProblem, exit } from '../program/problem.ts';
import { sitePage } from '../program/site-page.ts';
import { type Config, listSettings, readConfig } from '../settings/config.ts';
import { type GivenSettings, givenSettings } from '../settings/file.ts';
import { unknownText } from '../settings/names.ts';
import { lineForScreen } from '../text/blank.ts';
import { findMissingRights, ownAccount, setfaclLines } from './account.ts';
import { findExposedData } from './exposed-data.ts';
import { checkReachability } from './reachability.ts';
import { reportRunning } from './running.ts';
import { checkServer } from './server.ts';
import { findReadOnlyFolders } from './service-folders.ts';

const use = howToRun('doctor', '[--settings FILE] [--cookie -] [--origin URL] [--chat URL] [--all]');

export const usage = `${use}
${howToRun('doctor', '[--settings FILE] --grants', true)}

Asks the running server, shows the settings that differ from the default, finds problems, and says how to fix them. It
changes no data.

  --settings FILE  the settings of the chat server
  --cookie -       follows one login: asks for the session cookie of a logged-in user, or the header Cookie.
                   --cookie VALUE passes it directly, but all users of this machine can see it in the process list
  --origin URL     checks whether a page at this address may connect
  --chat URL       checks whether browsers reach the chat at this address, which takes half a minute.
                   Without it, the doctor checks CHAT_URL in a few seconds
  --all            shows all settings
  --grants         prints only the SQL for a database user with minimal rights

Example: ${howToRun('doctor', '--cookie - --chat https://www.example.org/chat/')}`;

/** The output for findings and usage errors. */
interface Output {
  finding(line: string): void;
  problem(line: string): void;
  /** Returns null if the input ends before an answer. */
  askCookie?(): Promise<string | null>;
}

/**
 * Checks the settings and everything that they name, and prints the findings.
 * @returns the exit code: 1 if there is a problem
 */
export async function doctor(
  args: readonly string[],
  env: NodeJS.ProcessEnv,
  output: Output,
): Promise<number> {
  try {
    return await runChecks(args, env, output);
  } catch (error) {
    const { code, message } = error as Error & { code?: string };
    if (error instanceof CommandProblem) {
      output.problem(`✗ ${message}`);
      return error.code;
    }
    if (code?.startsWith('ERR_PARSE_ARGS') !== true) throw error;
    output.problem(`✗ ${message}\n\n${usage}`);
    return exit.usage;
  }
}

async function runChecks(args: readonly string[], env: NodeJS.ProcessEnv, output: Output): Promise<number> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      cookie: { type: 'string' },
      origin: { type: 'string' },
      chat: { type: 'string' },
      grants: { type: 'boolean' },
      all: { type: 'boolean', default: false },
      settings: { type: 'string' },
    },
  });
  for (const [option, what] of [
    ['origin', 'a page, such as https://www.example.org'],
    ['chat', 'the chat, such as https://www.example.org/chat'],
  ] as const) {
    if (values[option] === undefined || /^https?:\/\/[^/]/.test(values[option])) continue;
    throw new CommandProblem(exit.usage, `--${option} must be the address of ${what}\n\n${usage}`);
  }
  if (values.cookie === '-') {
    const cookie = (await output.askCookie?.()) ?? '';
    if (cookie === '') throw new CommandProblem(exit.usage, '--cookie -: no cookie was given');
    values.cookie = cookie;
  }
  const given = givenSettings(values.settings, env);
  const config = readConfig(given.env, given.lines);
  if (values.grants) {
    await printGrants(config, output);
    return 0;
  }
  if (values.cookie !== undefined && 'ticketsOnly' in config.logins)
    throw new CommandProblem(
      exit.usage,
      '--cookie is for logins by session; with CHAT_SESSION_STORE=none, the log of the server says why a ticket was rejected',
    );
  for (const line of settingLines(given, values.all)) output.finding(line);
  let problems = 0;
  for await (const finding of findings(config, given.file, values)) {
    for (const line of findingLines(finding)) output.finding(line);
    if (finding.level === 'problem') problems++;
  }
  const { logins } = config;
  if (values.cookie === undefined && !('ticketsOnly' in logins)) {
    const what = 'session' in logins ? `the value of ${await findCookieName(logins)}` : 'the header Cookie';
    const same = values.settings ? `--settings ${lineForScreen(values.settings)} ` : '';
    output.finding(`To follow one login from the cookie to the user: ${howToRun('doctor', `${same}--cookie -`)}
It asks for ${what} from the browser of a logged-in user.`);
  }
  if (problems === 0) return 0;
  const page = 'ticketsOnly' in logins ? 'docs/sites/tickets.md' : sitePage(await findKind(logins));
  output.finding(`See ${page} for the logins of the site, and docs/settings.md for all settings.`);
  return 1;
}

const maxShownCharacters = 1000;

/** Prints only SQL, so that it can be piped into the database. */
async function printGrants({ logins, mail }: Config, output: Output): Promise<void> {
  if (!('site' in logins))
    throw new CommandProblem(
      exit.usage,
      '--grants is for a site whose logins are in its database: set CHAT_SITE',
    );
  const lines = await grants(logins, mail !== undefined);
  if ('problem' in lines) throw new CommandProblem(1, lines.problem);
  for (const line of lines) output.finding(line);
}

/** Returns the lines that show the settings. @param all whether to include settings with their default */
function settingLines({ env, lines }: GivenSettings, all: boolean): string[] {
  const settings = listSettings(env, lines);
  const shown = all
    ? settings
    : settings.filter(({ from, value }) => from !== 'default' && !(from === 'site' && value === ''));
  const width = Math.max(0, ...shown.map(({ name }) => name.length));
  const fromWidth = Math.max(0, ...shown.map(({ from }) => from.length));
  return [
    ...shown.map(({ name, value, from }) => {
      const text = value === '' ? 'none' : lineForScreen(value.slice(0, maxShownCharacters));
      return `  ${name.padEnd(width)}  ${from.padEnd(fromWidth)}  ${text}`;
    }),
    ...(all ? [] : ['  The other settings have their default: --all shows them.']),
  ];
}

interface Targets {
  cookie?: string | undefined;
  origin?: string | undefined;
  chat?: string | undefined;
}

async function* findings(
  config: Config,
  settingsFile: string | undefined,
  { cookie, origin, chat }: Targets,
): AsyncGenerator<Finding> {
  const server = yield* reportRunning(config);
  if (await canOpenLogins(config)) yield ok('The settings can be used.');
  for (const name of config.unknown) yield warning(`${unknownText(name)}. It has no effect.`);
  yield* findExposedData(config, settingsFile);
  yield* findReadOnlyFolders(config, settingsFile);
  const address = chat ?? config.url;
  yield* checkServer(config, { page: origin, chat: address, isRunning: server !== undefined });
  const { logins } = config;
  const cookieName = 'ticketsOnly' in logins ? null : await findCookieName(logins);
  if (address !== undefined)
    yield* checkReachability(config, cookieName ?? 'doctor', address, {
      server,
      isPatient: chat !== undefined,
    });
  if ('ticketsOnly' in logins) return;
  const addresses = new Addresses(config.trustedProxies);
  const files = new Map<string, 'seen' | 'read'>();
  const onFile = (path: string, access: 'seen' | 'read') => {
    if (files.get(path) !== 'read') files.set(path, access);
  };
  const examined = 'site' in logins ? { site: { ...logins.site, onFile } } : logins;
  for await (const finding of examineLogins(examined, {
    cookie,
    withoutRenewal: config.sessionKeepalive ? withoutRenewal : undefined,
    mails: config.mail !== undefined,
    isProxy: (address) => addresses.isProxy(address),
  })) {
    const advice =
      finding.isConfiguration && 'site' in logins ? await adviseRights(files, logins.site.folder) : undefined;
    yield { ...finding, advice: advice ?? finding.advice };
  }
}

/** Opens the logins as the server does at its start. If this fails, `examineLogins` reports the reason. */
async function canOpenLogins({ logins }: Config): Promise<boolean> {
  if ('ticketsOnly' in logins) return true;
  try {
    const opened = await openLogins(logins);
    opened.close();
    return true;
  } catch (error) {
    if (error instanceof ConfigurationError) return false;
    throw error;
  }
}

function mayEnter(folder: string): boolean {
  try {
    accessSync(folder, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Returns the commands that let this account read the configuration of a site. Undefined if it may read all files. */
async function adviseRights(files: SiteFiles, folder: string): Promise<string | undefined> {
  const account = ownAccount();
  const all = new Map(files);
  // Only a site that this account can enter shows whether it must be listed.
  if (!files.has(folder) || !mayEnter(folder)) all.set(folder, 'seen');
  try {
    const missing = await findMissingRights(all, account, existsSync(folder) ? realpathSync(folder) : folder);
    return missing.size === 0 ? undefined : `Run as root: ${setfaclLines(account, missing).join(' && ')}`;
  } catch (error) {
    if (error instanceof CommandProblem) return error.message;
    throw error;
  }
}
