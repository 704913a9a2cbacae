import { existsSync, readdirSync, realpathSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { CookieScope, Finding, SitePlace } from 'php-sessions/doctor';
import { examineSite } from 'php-sessions/doctor';
import { howToRun, withDocs } from '../command/how-to-run.ts';
import { CommandProblem, exit } from '../command/problem.ts';
import { dataInSite } from '../doctor/data-in-site.ts';
import { clientBuilt } from '../doctor/server.ts';
import { type Config, ConfigError, listSettings, readConfig, settingNames } from '../settings/config.ts';
import { givenSettings, parseSettings, usualFiles } from '../settings/file.ts';
import { lineForScreen } from '../wire/blank.ts';
import {
  type Account,
  accountOf,
  asAccount,
  missingRights,
  serviceAccount,
  setfaclLines,
  shellWord,
  type Wanted,
} from './account.ts';
import { addressesFor, type ChatAddresses, parseAddress } from './address.ts';
import { askForUser } from './ask-for-user.ts';
import { type Options, readOptions } from './command-line.ts';
import { type Found, folderOfStore, lookAt, rightsProblem, withoutUser } from './found.ts';
import { nextSteps } from './next-steps.ts';
import { refuseOpenFolder, type SettingsGroup, settingsText, writeSettings } from './settings-file.ts';
import type { Terminal } from './terminal.ts';

/** Of CHAT_PORT. */
const defaultPort = 7070;

const marks = { well: '✓', warning: '!', wrong: '✗' };

/**
 * Looks at the site in a folder, tests what the chat needs of it, and writes the settings. It changes nothing of the
 * site.
 * @param machine the root of the machine that the site runs on, if that is not `/`
 * @returns the exit code
 */
export async function init(
  args: readonly string[],
  env: NodeJS.ProcessEnv,
  terminal: Terminal,
  machine?: string,
): Promise<number> {
  try {
    const options = readOptions(args, env);
    await setUp(options, env, terminal, machine);
    return 0;
  } catch (error) {
    if (!(error instanceof CommandProblem)) throw error;
    terminal.problem(`✗ ${error.message[0]?.toUpperCase()}${error.message.slice(1)}`);
    return error.code;
  }
}

async function setUp(
  options: Options,
  env: NodeJS.ProcessEnv,
  terminal: Terminal,
  machine: string | undefined,
): Promise<void> {
  const say = ({ is, text, advice }: Finding) => {
    terminal.say(`${marks[is]} ${lineForScreen(text)}`);
    if (advice !== undefined) terminal.say(`  → ${lineForScreen(advice)}`);
  };
  const given = { ...placesIn(options.data), ...freePort(options.settings), ...givenIn(env) };
  const config = readConfig({ ...given, CHAT_SITE: options.site });
  for (const { text, advice } of dataInSite(config, options.settings))
    throw new CommandProblem(exit.configuration, lineForScreen(`${text} ${advice}`));
  const otherHistory = env.CHAT_HISTORY ? null : otherHistoryAt(options);
  if (otherHistory !== null && !options.print) throw new CommandProblem(exit.configuration, otherHistory);
  const place = { ...placeIn(config), machine };
  const found = await lookAt(place, (files) => forbiddenTo(self(), options.folder, files));

  const known = addressOf(found.description.address);
  const cookie = found.description.cookie ?? { path: '/', domain: '', secure: false };
  const isOn = known === null ? '' : ` at ${known.href.replace(/\/$/, '')}`;
  const version = found.description.version ? ` ${found.description.version}` : '';
  say({
    is: 'well',
    text: [
      `${found.title[0]?.toUpperCase()}${found.title.slice(1)}${version}${isOn}`,
      found.logins,
      administratorsIn(found),
    ]
      .filter(Boolean)
      .join(', '),
  });
  if (found.elsewhere) {
    say({
      is: 'warning',
      text: `This may be the wrong folder: ${found.elsewhere}.`,
      advice: 'if that is the site, run this again with that folder',
    });
  }
  const url = options.url ?? (known === null ? await askForAddress(options, terminal) : null);
  const addresses = addressesFor(url, known, cookie, config.port);
  say({ is: 'well', text: reachText(addresses, cookie) });

  const account = serviceAccount(options.user, ownerOfSessions(found), found.store.startsWith('file:'));
  if (!options.print) refuseOpenFolder(options.settings, account);
  const missing = await missingRights(found.files, account, realFolder(options.folder));
  const acl = setfaclLines(account, missing);
  if (acl.length > 0) {
    say({
      is: 'warning',
      text: `The account ${account.name} may not read ${acl.length === 1 ? 'one file or folder' : `${acl.length} files and folders`} that the chat needs: see below.`,
    });
  } else {
    const read = [...found.files].filter(([path, wanted]) => wanted === 'read' && existsSync(path)).length;
    if (read > 0) {
      say({
        is: 'well',
        text: `The account ${account.name} may read the ${read === 1 ? 'file' : `${read} files`} that the chat needs of the site.`,
      });
    }
    await testAs(account, withoutUser(place), say);
  }

  const user = found.userKnown ? {} : await askForUser(options, given, found, account, terminal);
  const login = await loginPage(options, found, addresses, terminal);
  const groups = settingGroups(options, given, user, login, addresses);
  const title = withDocs(
    `Settings of the chat for ${addresses.site.href}, as ${howToRun('init')} has found them. docs/settings.md lists all.`,
  );
  const text = settingsText(title, groups);
  const values = Object.fromEntries(
    [...parseSettings(text, options.settings)].map(([name, { value }]) => [name, value]),
  );
  const checked = readConfig(values);
  if (options.print) {
    if (otherHistory !== null) say({ is: 'warning', text: otherHistory });
    terminal.heading(`${options.settings} would be:`);
    terminal.say(`\n${indented(settingsText(title, withoutSecrets(groups, values)))}`);
    return;
  }
  const isRoot = process.geteuid?.() === 0;
  writeSettings(options.settings, text, isRoot ? account.gid : undefined, options.force);
  say({ is: 'well', text: `Written: ${options.settings}` });
  if ((found.hasTables || !found.userKnown) && !env.CHAT_FIND_PEOPLE) {
    const all = 'add CHAT_FIND_PEOPLE=all to that file';
    const table =
      found.hasTables || env.CHAT_USER_TABLE
        ? ''
        : ', and name the table of users by CHAT_USER_TABLE: docs/settings.md';
    say({
      is: 'well',
      text: withDocs(
        `Users find by name the people in their rooms. To let them find all users of the site, ${all}${table}.`,
      ),
    });
  }
  nextSteps(
    {
      addresses,
      account,
      acl,
      login,
      settings: options.settings,
      data: options.data,
      site: options.folder,
      sessions: folderOfStore(found.store),
      port: checked.port,
      isBuilt: clientBuilt().is === 'well',
      userPath: values.CHAT_USER_ID,
      condition: found.description.condition,
      usesSiteUser: found.hasTables && place.database === undefined,
      machine,
    },
    terminal,
  );
}

const historyIn = (data: string) => join(data, 'chat.db');

/** The settings that say where messages and files go. */
const placesIn = (data: string) => ({
  CHAT_HISTORY: `sqlite:${historyIn(data)}`,
  CHAT_FILES: `dir:${join(data, 'files')}`,
});

/**
 * In the history of another site the users of this one would be those with the same ids there.
 * @returns what is wrong; null if there is no history, or the file of settings is that of this site and names it
 */
function otherHistoryAt({ data, folder, settings }: Options): string | null {
  const history = historyIn(data);
  if (!existsSync(history)) return null;
  const places = placesIn(data);
  const before = settingsIn(settings);
  const siteBefore = before.CHAT_SITE?.replace(/^[a-z][a-z0-9-]*:/, '');
  if (before.CHAT_HISTORY === places.CHAT_HISTORY && siteBefore === folder) return null;
  const words = Object.entries(places).map(([name, value]) => `${name}=${shellWord(value)}`);
  return lineForScreen(
    `${history} is there already, and may be the history of another site. If this is one more site, give it settings of its own: --settings ${join(dirname(usualFiles[0]), 'NAME.conf')}. If it is the history of this site, run this again with ${words.join(' ')} before the command`,
  );
}

/** Finds a port that no other settings in this folder use. Empty for the default port. */
function freePort(settings: string): Record<string, string> {
  const folder = dirname(settings);
  const others = existsSync(folder)
    ? readdirSync(folder).filter((name) => name === basename(usualFiles[0]) || name.endsWith('.conf'))
    : [];
  const taken = new Set(
    others
      .map((name) => join(folder, name))
      .filter((file) => file !== settings)
      .map(settingsIn)
      // Files of other programs have none.
      .filter(({ CHAT_HISTORY }) => CHAT_HISTORY !== undefined)
      .map(({ CHAT_PORT = String(defaultPort) }) => CHAT_PORT),
  );
  let port = defaultPort;
  while (taken.has(String(port))) port++;
  return port === defaultPort ? {} : { CHAT_PORT: String(port) };
}

function settingsIn(path: string): NodeJS.ProcessEnv {
  try {
    return givenSettings(path, {}).env;
  } catch (error) {
    // A file that is not there, or that no server could read, names no history.
    if (error instanceof ConfigError) return {};
    throw error;
  }
}

/** The folder of a site, or of its configuration, without links. */
function realFolder(given: string): string {
  const real = realpathSync(given);
  return statSync(real).isDirectory() ? real : dirname(real);
}

/** The account of this process. */
function self(): Account {
  const [uid, gid] = [process.geteuid?.() ?? 0, process.getegid?.() ?? 0];
  return accountOf(uid) ?? { name: String(uid), uid, gid };
}

/** Says what an account may not read, and how it may; null if it may read all. */
async function forbiddenTo(
  account: Account,
  folder: string,
  files: ReadonlyMap<string, Wanted>,
): Promise<string | null> {
  const missing = await missingRights(files, account, realFolder(folder));
  if (missing.size === 0) return null;
  return `the account ${account.name} may not read all that it needs of ${folder}. As root, or as the owner of the files:\n\n${indented(setfaclLines(account, missing).join('\n'))}`;
}

const indented = (text: string) => text.replace(/^(?=.)/gm, '    ');

/** The settings of the environment, which the file takes over. */
function givenIn(env: NodeJS.ProcessEnv): Record<string, string> {
  const found: Record<string, string> = {};
  // Unknown names of the chat are refused by `readConfig`, or have no effect.
  for (const [name, value] of Object.entries(env)) {
    if (name.startsWith('CHAT_') && value && name !== 'CHAT_SITE') found[name] = value;
  }
  return found;
}

function placeIn({ logins }: Config): SitePlace {
  if ('site' in logins) return logins.site;
  throw new CommandProblem(exit.usage, 'the folder of the site is missing');
}

function addressOf(text: string | null | undefined): URL | null {
  try {
    return text ? parseAddress(text) : null;
  } catch (error) {
    // Whatever the site has in that place.
    if (error instanceof CommandProblem) return null;
    throw error;
  }
}

function administratorsIn({ description: { administrators: count } }: Found): string {
  if (count === undefined) return '';
  return count === 1 ? '1 administrator' : `${count} administrators`;
}

function reachText({ site, chat, way }: ChatAddresses, { secure }: CookieScope): string {
  const cookie = `the cookie of its logins reaches it${secure ? ', over https' : ''}`;
  if (way === 'direct')
    return `The chat will be at ${chat.href} on this machine alone: ${cookie}, since cookies ignore the port.`;
  return `The chat will be at ${chat.href}${way === 'host' ? `, and the pages at ${site.href}` : ''}: ${cookie}.`;
}

async function askForAddress({ yes }: Options, terminal: Terminal): Promise<URL> {
  const answer = yes ? null : await terminal.ask('? Address of the site, as its visitors see it: ');
  if (answer === null || answer === '') {
    throw new CommandProblem(
      exit.usage,
      'the site does not say its own address, and none was given: --url https://www.example.org',
    );
  }
  return parseAddress(answer);
}

/** The account that writes the sessions, if they are in a folder of its own. */
function ownerOfSessions(found: Found): string | undefined {
  if (found.description.account !== undefined) return found.description.account;
  const folder = folderOfStore(found.store);
  if (folder === undefined) return undefined;
  try {
    const { uid } = statSync(folder);
    return uid === 0 ? undefined : accountOf(uid)?.name;
  } catch {
    return undefined;
  }
}

/** Reads the site once more, with the rights that the server will have. @throws CommandProblem if the chat could not work */
async function testAs(account: Account, place: SitePlace, say: (finding: Finding) => void): Promise<void> {
  const wrongs: string[] = [];
  await asAccount(account, async () => {
    for await (const finding of examineSite(place, { cookie: undefined, keepalive: true })) {
      // The first line has said so already.
      if (finding.is === 'well' && / is the folder of /.test(finding.text)) continue;
      say(finding);
      if (finding.is === 'wrong') wrongs.push(finding.text);
    }
  });
  if (wrongs.length === 0) return;
  throw (
    (await rightsProblem(wrongs.join('\n'), place)) ??
    new CommandProblem(
      exit.unavailable,
      'so the chat could not work: nothing has been written. Mend that, and run this again',
    )
  );
}

/** The address of the login page of the site. */
async function loginPage(
  { yes }: Options,
  { description: { login } }: Found,
  { site }: ChatAddresses,
  terminal: Terminal,
): Promise<URL> {
  if (login !== undefined) return new URL(login, site);
  const answer = yes ? '' : await terminal.ask(`? Login page of the site [${site.pathname}]: `);
  const page = answer || site.pathname;
  if (!URL.canParse(page, site))
    throw new CommandProblem(exit.usage, `${JSON.stringify(page)} is no address of a login page`);
  return new URL(page, site);
}

function settingGroups(
  { site }: Options,
  given: Readonly<Record<string, string>>,
  user: Readonly<Record<string, string>>,
  login: URL,
  { site: { origin }, chat, way }: ChatAddresses,
): SettingsGroup[] {
  const proposed: Record<string, string | undefined> = {
    CHAT_ORIGINS: [...new Set([origin, chat.origin])].join(','),
    CHAT_LOGIN_URL: login.href,
    CHAT_HOST: '127.0.0.1',
    CHAT_TRUSTED_PROXIES: way === 'direct' ? undefined : '127.0.0.1',
  };
  const all: Record<string, string | undefined> = { ...proposed, ...user, ...given };
  const taken = new Set<string>();
  const group = (
    comment: string,
    fits: RegExp,
    first: Record<string, string | undefined> = {},
  ): SettingsGroup => {
    const names = [...settingNames].filter(
      (name) => fits.test(name) && !taken.has(name) && all[name] !== undefined,
    );
    for (const name of names) taken.add(name);
    return { comment, settings: { ...first, ...Object.fromEntries(names.map((name) => [name, all[name]])) } };
  };
  return [
    group('The site: from its folder the server knows who is logged in.', /^CHAT_(SITE_|SESSION_|USER_)/, {
      CHAT_SITE: site,
    }),
    group(
      'The users who may moderate, besides those to whom the site gives a role.',
      /^CHAT_(ADMINS|MODERATORS)$/,
    ),
    group('The pages with the chat, and where people log in.', /^CHAT_(ORIGINS|LOGIN_URL)$/),
    group(
      way === 'direct'
        ? 'Only this machine reaches the chat server.'
        : 'Only the web server of this machine reaches the chat server.',
      /^CHAT_(HOST|PORT|TRUSTED_PROXIES)$/,
    ),
    group('The messages and the files in them.', /^CHAT_(HISTORY|FILES)$/),
    group('As the environment had them.', /./),
  ];
}

/** For a screen: keys and passwords are not for everybody who looks at it. @param env the same settings */
function withoutSecrets(groups: readonly SettingsGroup[], env: NodeJS.ProcessEnv): SettingsGroup[] {
  const shown = new Map(listSettings(env).map(({ name, value }) => [name, value]));
  return groups.map(({ comment, settings }) => ({
    comment,
    settings: Object.fromEntries(
      Object.entries(settings).map(([name, value]) => [name, value && shown.get(name)]),
    ),
  }));
}
