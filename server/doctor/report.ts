import { parseArgs } from 'node:util';
import { openLogins } from 'php-sessions';
import {
  examine,
  examineSite,
  type Finding,
  grants,
  mailAddresses,
  printable,
  siteCookie,
  unreadableAccounts,
  warning,
  well,
  wrongCookieName,
} from 'php-sessions/doctor';
import { howToRun } from '../command/how-to-run.ts';
import { CommandProblem, exit } from '../command/problem.ts';
import { Addresses } from '../connections/address.ts';
import { listSettings, readConfig } from '../settings/config.ts';
import { type GivenSettings, givenSettings } from '../settings/file.ts';
import { unknownText } from '../settings/names.ts';
import { lineForScreen } from '../wire/blank.ts';
import { dataInSite } from './data-in-site.ts';
import { serverFindings } from './server.ts';
import { wayFromBrowser } from './way-from-browser.ts';

const use = howToRun('doctor', '[--settings FILE] [--cookie -] [--origin URL] [--chat URL] [--all]');

export const usage = `${use}
${howToRun('doctor', '[--settings FILE] --grants', true)}

Shows the settings that differ from the default, and says what is wrong and what to change. It changes nothing.

  --settings FILE  the settings of the chat server
  --cookie -       follows one login: asks for the session cookie of somebody who is logged in, or the header Cookie;
                   --cookie VALUE gives it, and shows it to everybody who lists the processes of this machine
  --origin URL     whether a page at this address may connect
  --chat URL       whether browsers reach the chat at this address
  --all            shows all settings
  --grants         prints the SQL for a database user with the least rights, and nothing else

Example: ${howToRun('doctor', '--cookie - --chat https://www.example.org/chat/')}`;

const marks = { well: '✓', warning: '!', wrong: '✗' };

/** Where lines go: findings, or why the question cannot be answered. */
export interface Say {
  finding(line: string): void;
  problem(line: string): void;
  /** Asks for a cookie. @returns null if there is none */
  askCookie?(): Promise<string | null>;
}

/**
 * Checks the settings and everything they name, and reports each finding as a line.
 * @returns the exit code: 1 if anything is wrong
 */
export async function doctor(args: readonly string[], env: NodeJS.ProcessEnv, say: Say): Promise<number> {
  try {
    return await examineAll(args, env, say);
  } catch (error) {
    const { code, message } = error as Error & { code?: string };
    if (error instanceof CommandProblem) {
      say.problem(`✗ ${message}`);
      return error.code;
    }
    if (code?.startsWith('ERR_PARSE_ARGS') !== true) throw error;
    say.problem(`✗ ${message}\n\n${usage}`);
    return exit.usage;
  }
}

async function examineAll(args: readonly string[], env: NodeJS.ProcessEnv, say: Say): Promise<number> {
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
    say.problem(`✗ --${option} is the address of ${what}\n\n${usage}`);
    return exit.usage;
  }
  if (values.cookie === '-') {
    const cookie = (await say.askCookie?.()) ?? '';
    if (cookie === '') {
      say.problem('✗ --cookie -: no cookie was given');
      return exit.usage;
    }
    values.cookie = cookie;
  }
  const given = givenSettings(values.settings, env);
  const config = readConfig(given.env, given.lines);
  if (values.grants) return printGrants(config, say);
  for (const line of settingLines(given, values.all)) say.finding(line);
  let wrongs = 0;
  for await (const { is, text, advice } of checks(config, given.file, values)) {
    say.finding(`${marks[is]} ${lineForScreen(text)}`);
    if (advice !== undefined) say.finding(`  → ${lineForScreen(advice)}`);
    if (is === 'wrong') wrongs++;
  }
  if (values.cookie === undefined) {
    const what =
      'session' in config.logins ? `the value of ${config.logins.session.cookie.name}` : 'the header Cookie';
    const same = values.settings ? `--settings ${printable(values.settings)} ` : '';
    say.finding(`To follow one login from the cookie to the user: ${howToRun('doctor', `${same}--cookie -`)}
It asks for ${what} from the browser of somebody who is logged in.`);
  }
  return wrongs === 0 ? 0 : 1;
}

/** Prints SQL and nothing else, so that it can be passed on to the database. */
async function printGrants({ logins, mail }: ReturnType<typeof readConfig>, say: Say): Promise<number> {
  if (!('site' in logins)) {
    say.problem('✗ --grants is for a site whose logins are in its database: set CHAT_SITE');
    return exit.usage;
  }
  const { site } = logins;
  // Otherwise the addresses are in the sessions.
  const inTables = site.sessions?.given.userMail === undefined;
  const lines = await grants(site, mail !== undefined && inTables);
  if ('problem' in lines) {
    say.problem(`✗ ${lines.problem}`);
    return 1;
  }
  for (const line of lines) say.finding(line);
  return 0;
}

/** @param all also the settings that have their default */
function settingLines({ env, lines }: GivenSettings, all: boolean): string[] {
  const settings = listSettings(env, lines);
  const shown = all
    ? settings
    : settings.filter(({ from, value }) => from !== 'default' && !(from === 'site' && value === ''));
  const width = Math.max(0, ...shown.map(({ name }) => name.length));
  const fromWidth = Math.max(0, ...shown.map(({ from }) => from.length));
  return [
    ...shown.map(({ name, value, from }) => {
      const text = value === '' ? 'none' : printable(value, 1000);
      return `  ${name.padEnd(width)}  ${from.padEnd(fromWidth)}  ${text}`;
    }),
    ...(all ? [] : ['  The other settings have their default: --all shows them.']),
  ];
}

async function* checks(
  config: ReturnType<typeof readConfig>,
  file: string | undefined,
  {
    cookie,
    origin,
    chat,
  }: { cookie?: string | undefined; origin?: string | undefined; chat?: string | undefined },
): AsyncGenerator<Finding> {
  yield well('The settings can be used.');
  for (const one of config.unknown) yield warning(`${unknownText(one)}. It has no effect.`);
  yield* dataInSite(config, file);
  yield* serverFindings(config, origin);
  const { logins, sessionKeepalive } = config;
  if (chat !== undefined) {
    const name = 'session' in logins ? logins.session.cookie.name : await siteCookie(logins.site);
    yield* wayFromBrowser(config, name ?? 'doctor', chat);
  }
  const addresses = new Addresses(config.trustedProxies);
  const isProxy = (address: string) => addresses.isProxy(address);
  const misnamed = cookie === undefined ? null : await wrongCookieName(logins, cookie);
  if (misnamed !== null) yield misnamed;
  const followed = misnamed === null ? cookie : undefined;
  const how = { cookie: followed, keepalive: sessionKeepalive, isProxy, mails: config.mail !== undefined };
  if (config.mail !== undefined && 'session' in logins) yield await mailAddresses({}, logins.session.user);
  if ('session' in logins && logins.users !== undefined) {
    const opened = await openLogins(logins, () => {});
    yield* unreadableAccounts(opened, logins.users);
    opened.close();
  }
  yield* 'site' in logins ? examineSite(logins.site, how) : examine(logins.session, how);
}
