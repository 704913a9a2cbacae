import { existsSync, realpathSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { type Finding, ok, type SiteDescription, type SiteFiles, warning } from 'php-sessions/doctor';
import {
  type Account,
  asAccount,
  chooseAccount,
  findMissingRights,
  ownAccount,
  setfaclLines,
} from '../doctor/account.ts';
import { findExposedData } from '../doctor/exposed-data.ts';
import { checkClient } from '../doctor/server.ts';
import { findingLines } from '../program/findings.ts';
import { howToRun, withDocs } from '../program/how-to-run.ts';
import { CommandProblem, exit } from '../program/problem.ts';
import { readConfig } from '../settings/config.ts';
import { parseSettings } from '../settings/file.ts';
import { hostAndPort, ownHost, ownProxies } from '../settings/own-host.ts';
import { lineForScreen } from '../text/blank.ts';
import { zone } from '../wire/events.ts';
import { addressesFor, type ChatAddresses, parseAddress } from './address.ts';
import { askForTeam } from './ask-for-team.ts';
import { askForUser } from './ask-for-user.ts';
import { type Options, readOptions } from './command-line.ts';
import { dataSettings, findOtherHistory, freePort } from './data-folder.ts';
import { printNextSteps } from './next-steps.ts';
import { requireSafeFolder, writeSettings } from './settings-file.ts';
import { groupSettings, type Settings, settingsText, withoutSecrets } from './settings-text.ts';
import { findPhpAccount, readSite, testSite } from './site.ts';
import { readSiteLook, type SiteLook } from './site-look.ts';
import type { Terminal } from './terminal.ts';

/**
 * Reads the site in a folder, tests what the chat needs of it, and writes the settings. The site stays unchanged.
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
    await setUp(readOptions(args, env), env, terminal, machine);
    return 0;
  } catch (error) {
    if (!(error instanceof CommandProblem)) throw error;
    terminal.problem(`✗ ${capitalize(error.message)}`);
    return error.code;
  }
}

async function setUp(
  options: Options,
  env: NodeJS.ProcessEnv,
  terminal: Terminal,
  machine: string | undefined,
): Promise<void> {
  const say = (finding: Finding) => {
    for (const line of findingLines(finding)) terminal.say(line);
  };
  const { saved } = options;
  const given: Settings = {
    ...(saved ?? { ...dataSettings(options.data), ...freePort(options.settings) }),
    ...settingsOf(env),
  };
  const config = readConfig({ ...given, CHAT_SITE: options.site });
  for (const { text, advice } of findExposedData(config, options.settings))
    throw new CommandProblem(exit.configuration, lineForScreen(`${text} ${advice}`));
  const otherHistory =
    env.CHAT_HISTORY || saved ? null : findOtherHistory(options.data, options.folder, options.settings);
  if (otherHistory !== null && !options.print) throw new CommandProblem(exit.configuration, otherHistory);
  if (!('site' in config.logins)) throw new CommandProblem(exit.usage, 'the folder of the site is missing');
  const logins = { site: { ...config.logins.site, machine } };
  const site = await readSite(logins, (files) => explainForbidden(files, options.folder));

  const knownAddress = readAddress(site.address);
  say(ok(describe(site, knownAddress)));
  if (site.nearby !== undefined)
    say(
      warning(
        `This may be the wrong folder: ${site.nearby}.`,
        'if that is the site, run this again with that folder',
      ),
    );
  const url = options.url ?? (knownAddress === null ? await askForAddress(options, terminal) : null);
  const addresses = addressesFor(url, knownAddress, site.cookie, config.port);
  if (knownAddress !== null && knownAddress.protocol !== addresses.site.protocol)
    say(
      warning(
        `The site’s own settings say ${knownAddress.href}, but ${site.cookie.secure ? 'its login cookie goes only over https' : '--url says https'}, so the chat expects it at ${addresses.site.href}.`,
        'correct the address in the site’s settings: it may also be wrong in the links of its mails',
      ),
    );
  say(ok(describeReach(addresses, site.cookie.secure)));
  if (addresses.isGivenPath)
    say(
      warning(
        `The chat takes all addresses that begin with ${addresses.chat.href}, so pages of the site there cannot be opened.`,
        `if that is the site, correct its address in its own settings, which say ${addresses.site.href}`,
      ),
    );

  const account = chooseAccount(options.user, findPhpAccount(site), site.sessionFolder !== undefined);
  const isWriting = !options.print && saved === undefined;
  if (isWriting) requireSafeFolder(options.settings, account);
  const acl = await checkRights(site.files, account, options, terminal, say);
  if (acl.length === 0 && saved === undefined) await testSite(site, account, say);

  const user: Settings =
    site.sessions && !site.isUserKnown
      ? await askForUser(
          options,
          { sessions: site.sessions, title: site.logins, hasAdmins: given.CHAT_ADMINS !== undefined },
          (work) => asAccount(account, work),
          terminal,
        )
      : {};
  const login = await findLoginPage(options, site, addresses, terminal, given.CHAT_LOGIN_URL);
  const hasRoles = site.sessions === undefined || Boolean(given.CHAT_USER_ROLES ?? user.CHAT_USER_ROLES);
  const team = given.CHAT_TEAM ? {} : await askForTeam(options, hasRoles, terminal);
  const group = process.geteuid?.() === 0 ? account.gid : undefined;
  const look = saved === undefined ? await findLook(addresses.site, given, say) : {};
  const logo = look.logo && `${options.settings}.logo.${look.logo.type === 'image/png' ? 'png' : 'jpg'}`;
  // Written before the settings are checked, because CHAT_LOGO must exist.
  if (isWriting && look.logo && logo) writeSettings(logo, look.logo.bytes, group, true);
  const isDirect = addresses.way === 'direct';
  const settings: Settings = {
    CHAT_ORIGINS: [...new Set([addresses.site.origin, addresses.chat.origin])].join(','),
    CHAT_LOGIN_URL: login.href,
    CHAT_URL: addresses.chat.href.replace(/\/$/, ''),
    CHAT_HOST: '127.0.0.1',
    CHAT_TRUSTED_PROXIES: isDirect ? undefined : ownProxies(given.CHAT_HOST ?? '127.0.0.1'),
    CHAT_NAME: look.name,
    CHAT_ACCENT: look.accent,
    CHAT_LOGO: isWriting ? logo : undefined,
    CHAT_TIME_ZONE: zone.safeParse(site.timeZone).data,
    ...user,
    ...team,
    ...given,
  };
  const groups = groupSettings(options.site, settings, isDirect);
  const title = withDocs(
    `Settings of the chat for ${addresses.site.href}, written by ${howToRun('init')}. docs/settings.md lists all.`,
  );
  const text = settingsText(title, groups);
  const values = Object.fromEntries(
    [...parseSettings(text, options.settings)].map(([name, { value }]) => [name, value]),
  );
  const { host, port, branding } = saved === undefined ? readConfig(values) : config;
  if (options.print) {
    if (otherHistory !== null) say(warning(otherHistory));
    terminal.heading(`${options.settings} would be:`);
    terminal.say(`\n${indent(settingsText(title, withoutSecrets(groups)))}`);
    return;
  }
  if (isWriting) {
    const kept = writeSettings(options.settings, text, group, options.force);
    say(ok(`Written: ${options.settings}`));
    if (kept !== undefined)
      say(ok(`The previous settings are in ${kept}. Copy what you added to them, and delete that file.`));
  }
  if (team.CHAT_TEAM !== undefined)
    say(
      ok(
        withDocs(
          'Users can ask the team. To let visitors without a login ask, and to answer them by mail: docs/operate/questions.md.',
        ),
      ),
    );
  if ((site.databaseUser !== undefined || !site.isUserKnown) && !given.CHAT_FIND_PEOPLE) {
    const table =
      site.databaseUser !== undefined || given.CHAT_USER_TABLE
        ? ''
        : ', and set CHAT_USER_TABLE to the table of users: docs/settings.md';
    say(
      ok(
        withDocs(
          `Users can find members of their rooms by name. To let them find all users of the site, add CHAT_FIND_PEOPLE=all to the settings${table}.`,
        ),
      ),
    );
  }
  printNextSteps(
    {
      addresses,
      account,
      acl,
      login,
      settings: options.settings,
      data: options.data,
      site: options.folder,
      sessions: site.sessionFolder,
      upstream: hostAndPort(ownHost(host), port),
      isBuilt: checkClient().level === 'ok',
      userPath: values.CHAT_USER_ID,
      accent: branding.accent,
      kind: site.kind,
      condition: site.condition,
      footer: site.footer,
      isNetwork: site.isNetwork,
      usesSiteUser: site.databaseUser === 'site',
      machine,
      options,
    },
    terminal,
  );
}

/** Capitalises a text, unless it begins with a name such as phpBB. */
const capitalize = (text: string) =>
  /^[a-z]+[A-Z]/.test(text) ? text : `${text[0]?.toUpperCase()}${text.slice(1)}`;
const indent = (text: string) => text.replace(/^(?=.)/gm, '    ');

/** Returns the settings of the environment. `readConfig` rejects misspelt names. */
function settingsOf(env: NodeJS.ProcessEnv): Record<string, string> {
  return Object.fromEntries(
    Object.entries(env).flatMap(([name, value]) =>
      name.startsWith('CHAT_') && value && name !== 'CHAT_SITE' ? [[name, value]] : [],
    ),
  );
}

/** Returns the folder of a site, or of its configuration file, with all links resolved. */
function resolveFolder(path: string): string {
  const real = realpathSync(path);
  return statSync(real).isDirectory() ? real : dirname(real);
}

/** Explains how this account gets the rights that it lacks. Null if it may read all files. */
async function explainForbidden(files: SiteFiles, folder: string): Promise<string | null> {
  const account = ownAccount();
  const missing = await findMissingRights(files, account, resolveFolder(folder));
  if (missing.size === 0) return null;
  return `the account ${account.name} may not read all the files that it needs in ${folder}. Run as root, or as the owner of the files:\n\n${indent(setfaclLines(account, missing).join('\n'))}`;
}

/** Reports whether the account of the server may read the site. @returns commands that grant the missing rights */
async function checkRights(
  files: SiteFiles,
  account: Account,
  { folder, print }: Pick<Options, 'folder' | 'print'>,
  terminal: Terminal,
  say: (finding: Finding) => void,
): Promise<string[]> {
  const acl = setfaclLines(account, await findMissingRights(files, account, resolveFolder(folder)));
  const read = [...files].filter(([path, access]) => access === 'read' && existsSync(path)).length;
  if (acl.length > 0) {
    say(
      warning(
        `The account ${account.name} may not read ${acl.length === 1 ? 'one file or folder' : `${acl.length} files and folders`} that the chat needs: see below.`,
      ),
    );
    // With --print, `init` does not show the next steps, which would contain these commands.
    if (print) terminal.say(`\n${indent(acl.join('\n'))}\n`);
  } else if (read > 0)
    say(
      ok(
        `The account ${account.name} may read the ${read === 1 ? 'file' : `${read} files`} that the chat needs of the site.`,
      ),
    );
  return acl;
}

/** Reads the look of the site from its front page, unless the environment sets it. */
async function findLook(site: URL, given: Settings, say: (finding: Finding) => void): Promise<SiteLook> {
  if (given.CHAT_NAME && given.CHAT_ACCENT && given.CHAT_LOGO) return {};
  const look = await readSiteLook(site);
  if ('problem' in look || Object.keys(look).length === 0) {
    const advice = withDocs('To set them, add CHAT_NAME and CHAT_LOGO: docs/settings.md.');
    say(
      'problem' in look
        ? warning(
            `Name and logo for the chat could not be read from ${site.href} (${lineForScreen(look.problem)}).`,
            advice,
          )
        : ok(`The page ${site.href} has no name and no logo for the chat. ${advice}`),
    );
    return {};
  }
  const { name, accent, logo } = look;
  const parts = [
    ...(name ? [`the name “${name}”`] : []),
    ...(accent ? [`the colour ${accent}`] : []),
    ...(logo ? ['the logo'] : []),
  ];
  say(ok(`Taken from ${site.href}: ${new Intl.ListFormat('en').format(parts)}.`));
  return look;
}

function readAddress(text: string | null | undefined): URL | null {
  try {
    return text ? parseAddress(text) : null;
  } catch (error) {
    // The configuration of the site may contain any text as the address.
    if (error instanceof CommandProblem) return null;
    throw error;
  }
}

function describe({ title, version, logins, administrators }: SiteDescription, address: URL | null): string {
  const administratorsText =
    administrators === undefined
      ? []
      : [administrators === 1 ? '1 administrator' : `${administrators} administrators`];
  const site = [capitalize(title), ...(version ? [version] : [])].join(' ');
  const at = address === null ? '' : ` at ${address.href.replace(/\/$/, '')}`;
  return [`${site}${at}`, logins, ...administratorsText].join(', ');
}

function describeReach({ site, chat, way }: ChatAddresses, isSecure: boolean): string {
  const cookie = `the login cookie of the site reaches it${isSecure ? ', over https' : ''}`;
  if (way === 'direct')
    return `The chat will be at ${chat.href} on this machine only: ${cookie}, because cookies ignore the port.`;
  return `The chat will be at ${chat.href}${way === 'host' ? `, and the pages at ${site.href}` : ''}: ${cookie}.`;
}

async function askForAddress({ yes }: Options, terminal: Terminal): Promise<URL> {
  const answer = yes ? null : await terminal.ask('? Address of the site, as its visitors see it: ');
  if (answer === null || answer === '')
    throw new CommandProblem(
      exit.usage,
      'the configuration of the site does not contain its address: add --url https://www.example.org',
    );
  return parseAddress(answer);
}

/** Returns the address of the login page of the site. @param given the setting CHAT_LOGIN_URL, if it is set already */
async function findLoginPage(
  { yes }: Options,
  { login }: SiteDescription,
  { site }: ChatAddresses,
  terminal: Terminal,
  given: string | undefined,
): Promise<URL> {
  if (given !== undefined && URL.canParse(given, site)) return new URL(given, site);
  if (login !== undefined) return new URL(login, site);
  const answer = yes ? '' : await terminal.ask(`? Login page of the site [${site.pathname}]: `);
  const page = answer || site.pathname;
  if (!URL.canParse(page, site))
    throw new CommandProblem(exit.usage, `${JSON.stringify(page)} is not the address of a login page`);
  return new URL(page, site);
}
