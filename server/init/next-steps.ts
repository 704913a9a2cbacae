import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { SiteDescription } from 'php-sessions/doctor';
import { type Account, shellWord } from '../doctor/account.ts';
import { howToRun } from '../program/how-to-run.ts';
import { sitePage } from '../program/site-page.ts';
import { usualFiles } from '../settings/file.ts';
import { lightDarkAccent } from '../wire/branding.ts';
import type { ChatAddresses } from './address.ts';
import type { Options } from './command-line.ts';
import { startService } from './service.ts';
import type { Terminal } from './terminal.ts';
import {
  configurationBlocks,
  findWebServers,
  reloadCommands,
  type WebServer,
  webServers,
} from './web-server.ts';

/** The facts that the steps depend on. */
interface Setup {
  addresses: ChatAddresses;
  account: Account;
  /** Commands that let the account read the site. */
  acl: readonly string[];
  login: URL;
  settings: string;
  /** The folder for messages and files. */
  data: string;
  /** The folder of the site. */
  site: string;
  /** The folder of the sessions, if they are files. */
  sessions: string | undefined;
  /** Host and port at which the web server reaches the chat server. */
  upstream: string;
  /** Whether the browser client is built. */
  isBuilt: boolean;
  /** The path to the user in a PHP session. */
  userPath: string | undefined;
  /** CHAT_ACCENT. */
  accent: string | undefined;
  /** See `SiteDescription`. */
  kind: SiteDescription['kind'];
  /** See `SiteDescription`. */
  condition: SiteDescription['condition'];
  /** See `SiteDescription`. */
  footer: SiteDescription['footer'];
  /** See `SiteDescription`. */
  isNetwork?: SiteDescription['isNetwork'];
  /** Whether the chat reads the tables of the site as the database user of the site. */
  usesSiteUser: boolean;
  /** The root of the machine. */
  machine: string | undefined;
  options: Pick<Options, 'url' | 'user'>;
}

interface Step {
  title: string;
  /** Texts, and lines to copy. */
  parts: (string | { lines: string })[];
}

/** Prints what the owner must do after the settings file is written. */
export function printNextSteps(setup: Setup, terminal: Terminal): void {
  const steps = [
    ...(setup.acl.length > 0 ? [grantRights(setup)] : []),
    startServer(setup),
    ...(setup.addresses.way === 'direct' ? [] : [configureWebServer(setup)]),
    addTag(setup),
    checkAll(setup),
  ];
  terminal.heading('Next steps');
  for (const [n, { title, parts }] of steps.entries()) {
    const texts = parts.map((part) =>
      typeof part === 'string' ? `   ${part}` : part.lines.replace(/^(?=.)/gm, '      '),
    );
    terminal.heading(`${n + 1}. ${title}`);
    terminal.say(`\n${texts.join('\n\n')}`);
  }
  if (setup.usesSiteUser) {
    terminal.say(
      `\nThe chat uses the database user of the site. To use a separate user that can read only what the chat needs:\n${doctorFor(setup, '--grants', true)} prints the SQL. Then set CHAT_SITE_DATABASE to that user.`,
    );
  }
  terminal.say(`\nTo show these steps again: ${showAgain(setup)}`);
}

const doctorFor = ({ settings }: Setup, option: string, isPiped = false) =>
  howToRun('doctor', `${settingsOption(settings)} ${option}`.trim(), isPiped);

function checkAll(setup: Setup): Step {
  return {
    title: 'Check that it works',
    parts: [
      {
        lines: `${runAs(setup.account)}${doctorFor(setup, `--chat ${shellWord(setup.addresses.chat.href)}`)}`,
      },
      'The doctor asks the running server, and tries what a browser does. It marks each problem with ✗, and its fix with →.',
    ],
  };
}

/** Returns the command that prints the same steps. */
function showAgain({ settings, options: { url, user } }: Setup): string {
  const options = [
    '--steps',
    settingsOption(settings),
    ...(url === null ? [] : [`--url ${shellWord(url.href)}`]),
    ...(user === undefined ? [] : [`--user ${shellWord(user)}`]),
  ];
  return howToRun('init', options.filter((option) => option !== '').join(' '));
}

function grantRights({ account, acl }: Setup): Step {
  return {
    title: `Let the account ${account.name} read the site`,
    parts: [
      'Run these commands as root (they need the package acl). They change no other rights:',
      { lines: acl.join('\n') },
    ],
  };
}

/** Returns the option that names a settings file. Empty for a default file. */
const settingsOption = (settings: string) =>
  usualFiles.some((file) => resolve(file) === settings) ? '' : `--settings ${shellWord(settings)}`;

/** Returns the start of a command that root runs as another account. */
const runAs = ({ name, uid }: Account) =>
  process.geteuid?.() === 0 && uid !== 0 ? `runuser -u ${name} -- ` : '';

function startServer(setup: Setup): Step {
  const { account, settings, data, isBuilt, machine } = setup;
  const start = process.geteuid?.() === 0 ? startService(setup, machine) : undefined;
  if (start !== undefined) {
    return {
      title: 'Start the chat server',
      parts: [
        { lines: start.lines.join('\n') },
        `The server is ready when its log contains "listening": journalctl -u ${start.service} shows it.`,
      ],
    };
  }
  const as = runAs(account);
  const lines = [
    ...(isBuilt ? [] : ['npm run build']),
    ...(as !== '' && !existsSync(data)
      ? [`install -d -o ${account.name} -g ${account.name} -m 700 ${shellWord(data)}`]
      : []),
    `${as}${howToRun('run', settingsOption(settings))}`,
  ];
  return {
    title: 'Start the chat server',
    parts: [
      { lines: lines.join('\n') },
      'The server is ready when it prints "listening". To run it as a service, see docs/operate/systemd.md.',
    ],
  };
}

function configureWebServer({ addresses, upstream, machine }: Setup): Step {
  const { chat, site, way } = addresses;
  const what = way === 'host' ? `${chat.hostname}` : chat.pathname;
  const chosen: Pick<WebServer, 'kind' | 'file'>[] = findWebServers(site.hostname, machine).filter(
    ({ isRunning }, n) => isRunning || n === 0,
  );
  const title = chosen.length === 1 ? webServers[(chosen[0] as WebServer).kind].title : 'your web server';
  const shown =
    chosen.length > 0 ? chosen : (['nginx', 'apache'] as const).map((kind) => ({ kind, file: undefined }));
  return {
    title: `Let ${title} forward ${what} to the chat server`,
    parts: shown.flatMap((server) => [
      ...(shown.length > 1 ? [`With ${webServers[server.kind].title}:`] : []),
      ...configurationBlocks(server, addresses, upstream).flatMap(({ where, lines }) => [where, { lines }]),
      'Then:',
      { lines: reloadCommands(server.kind) },
    ]),
  };
}

/** The plugin for WordPress, which only packages contain, seen from `dist/server/command/`. */
const plugin = join(import.meta.dirname, '../../php-session-chat.zip');

/** Returns how to add the chat to WordPress without changes of its theme. */
function pluginParts({ addresses: { site, chat, way }, isNetwork }: Setup): Step['parts'] {
  const server = way === 'path' ? chat.pathname : chat.href;
  const file = existsSync(plugin) ? plugin : 'release/php-session-chat.zip (made by: npm run release)';
  return [
    `Copy the plugin to your computer: ${file}`,
    isNetwork
      ? `In the dashboard of the network, ${new URL('wp-admin/network/', site)}, upload it under Plugins → Add New → Upload Plugin, and press “Network Activate”. Then save this address under Settings → Chat there: ${server}`
      : `In the dashboard of ${site.href}, upload it under Plugins → Add New → Upload Plugin, and activate it. Then save this address under Settings → Chat: ${server}`,
    'Members see a button on all pages. Without the plugin, add the tag yourself.',
  ];
}

function addTag(setup: Setup): Step {
  const {
    addresses: { chat, way },
    accent,
    kind,
    condition,
    footer,
  } = setup;
  const server = attribute(way === 'path' ? chat.pathname : chat.href);
  const tryFirst = `First log in to the site, and try the chat page ${chat.href}.`;
  const style =
    accent === undefined
      ? ''
      : `<style>php-chat, php-chat-launcher { --pc-accent: ${lightDarkAccent(accent)} }</style>\n`;
  const script = `${style}<script type="module" src="${server}php-chat.js"></script>`;
  if (condition !== undefined && footer !== undefined) {
    return {
      title: 'Add a button to all pages',
      parts: [
        tryFirst,
        `Put these lines above </body> in ${footer.place}:`,
        {
          lines: inTemplate(
            condition,
            `${script}\n<php-chat-launcher server="${server}"></php-chat-launcher>`,
          ),
        },
        footer.whenDone,
        `${sitePage(kind)} shows how to keep these lines in updates of the site, and who can chat.`,
      ],
    };
  }
  const isWordPress = kind === 'wordpress';
  return {
    title: isWordPress ? 'Install the plugin in WordPress' : 'Add the tag to a page',
    parts: [tryFirst, ...(isWordPress ? pluginParts(setup) : []), ...tagParts(setup, script, server)],
  };
}

/** Returns the tag, and where it belongs. */
function tagParts(
  { addresses: { site }, login, userPath, kind, condition }: Setup,
  script: string,
  server: string,
): Step['parts'] {
  const loginUrl = login.origin === site.origin ? login.pathname + login.search : login.href;
  const tagWith = (attributes: string) =>
    `${script}\n<php-chat server="${server}"${attributes}>The chat couldn’t be loaded. It needs JavaScript.</php-chat>`;
  const tag = tagWith(` login-url="${attribute(loginUrl)}"`);
  const template = condition ?? phpCondition(userPath);
  // Twig and Smarty would replace `{return}`. Without the attribute, the chat uses CHAT_LOGIN_URL.
  const isReplaced = loginUrl.includes('{') && template?.language !== 'PHP';
  return [
    ...(template === undefined
      ? []
      : [
          `In a ${template.language} template of the site:`,
          { lines: inTemplate(template, isReplaced ? tagWith('') : tag) },
        ]),
    template === undefined
      ? 'In a page for logged-in users:'
      : 'Or without a template: paste this into a page for logged-in users, for example into a block “Custom HTML”:',
    { lines: tag },
    `${sitePage(kind)} shows where to put it, how to add a button to all pages instead, and who can chat.`,
  ];
}

const inTemplate = ({ open, close }: NonNullable<SiteDescription['condition']>, lines: string) =>
  `${open}\n${lines.replace(/^/gm, '  ')}\n${close}`;

const attribute = (text: string) => text.replaceAll('&', '&amp;').replaceAll('"', '&quot;');

/** Returns a condition for pages of logged-in users, if the path has only plain keys. */
function phpCondition(path: string | undefined): SiteDescription['condition'] {
  if (path === undefined || !/^[A-Za-z0-9_]+(\.[A-Za-z0-9_]+)*$/.test(path)) return undefined;
  const keys = path.split('.').map((key) => `['${key}']`);
  return {
    language: 'PHP',
    open: `<?php if (!empty($_SESSION${keys.join('')})): ?>`,
    close: '<?php endif ?>',
  };
}
