import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import type { SiteDescription } from 'php-sessions/doctor';
import { howToRun } from '../command/how-to-run.ts';
import { usualFiles } from '../settings/file.ts';
import { type Account, shellWord } from './account.ts';
import type { ChatAddresses } from './address.ts';
import { startService } from './service.ts';
import type { Terminal } from './terminal.ts';
import { blocksFor, findWebServers, reloadOf, type WebServer, webServers } from './web-server.ts';

/** The facts once the settings have been written. */
interface Done {
  addresses: ChatAddresses;
  account: Account;
  /** Lines that let the account read the site. */
  acl: readonly string[];
  login: URL;
  settings: string;
  /** The folder for messages and files. */
  data: string;
  /** The folder of the site, and that of its sessions if they are files. */
  site: string;
  sessions: string | undefined;
  port: number;
  /** Whether the browser client is built. */
  isBuilt: boolean;
  /** Where the user is in a PHP session. */
  userPath: string | undefined;
  /** As in `SiteDescription`. */
  condition: SiteDescription['condition'];
  /** Whether the chat reads the tables of the site by the database user of the site itself. */
  usesSiteUser: boolean;
  /** The root of the machine. */
  machine: string | undefined;
}

interface Step {
  title: string;
  /** Texts, and lines to copy. */
  parts: (string | { lines: string })[];
}

/** Says what is left for the owner: all that is not this program's to change. */
export function nextSteps(done: Done, terminal: Terminal): void {
  const steps = [
    ...(done.acl.length > 0 ? [rights(done)] : []),
    start(done),
    ...(done.addresses.way === 'direct' ? [] : [webServer(done)]),
    page(done),
  ];
  terminal.heading('What is left for you');
  for (const [n, { title, parts }] of steps.entries()) {
    const texts = parts.map((part) =>
      typeof part === 'string' ? `   ${part}` : part.lines.replace(/^(?=.)/gm, '      '),
    );
    terminal.heading(`${n + 1}. ${title}`);
    terminal.say(`\n${texts.join('\n\n')}`);
  }
  const named = usualFiles.some((file) => resolve(file) === done.settings)
    ? ''
    : `--settings ${shellWord(done.settings)} `;
  if (done.usesSiteUser) {
    terminal.say(
      `\nThe chat uses the database user of the site. For one that can read only what the chat needs:\n${howToRun('doctor', `${named}--grants`, true)} prints the SQL, and CHAT_SITE_DATABASE names that user.`,
    );
  }
  terminal.say(
    `\nIf something does not work: ${runAs(done.account)}${howToRun('doctor', `${named}--chat ${shellWord(done.addresses.chat.href)}`)} says what, and what to change.`,
  );
}

function rights({ account, acl }: Done): Step {
  return {
    title: `Let the account ${account.name} read the site`,
    parts: ['As root (package acl). Nothing else of the site changes:', { lines: acl.join('\n') }],
  };
}

/** Before a command that root runs as the account of the chat server. */
const runAs = ({ name, uid }: Account) =>
  process.geteuid?.() === 0 && uid !== 0 ? `runuser -u ${name} -- ` : '';

function start(done: Done): Step {
  const { account, settings, data, isBuilt, machine } = done;
  const started = process.geteuid?.() === 0 ? startService(done, machine) : undefined;
  if (started !== undefined) {
    return {
      title: 'Start the chat server',
      parts: [
        { lines: started.lines.join('\n') },
        `It is ready at the line with "listening": journalctl -u ${started.service} shows it.`,
      ],
    };
  }
  const as = runAs(account);
  const named = usualFiles.some((file) => resolve(file) === settings)
    ? ''
    : `--settings ${shellWord(settings)}`;
  const lines = [
    ...(isBuilt ? [] : ['npm run build']),
    ...(as !== '' && !existsSync(data)
      ? [`install -d -o ${account.name} -g ${account.name} -m 700 ${shellWord(data)}`]
      : []),
    `${as}${howToRun('run', named)}`,
  ];
  return {
    title: 'Start the chat server',
    parts: [
      { lines: lines.join('\n') },
      'It is ready at the line with "listening". As a service: docs/operate.md, "systemd".',
    ],
  };
}

function webServer({ addresses, port, machine }: Done): Step {
  const { chat, site, way } = addresses;
  const what = way === 'host' ? `${chat.hostname}` : chat.pathname;
  const found = findWebServers(site.hostname, machine);
  const chosen: Pick<WebServer, 'kind' | 'file'>[] = found.filter(({ running }, n) => running || n === 0);
  const title = chosen.length === 1 ? webServers[(chosen[0] as WebServer).kind].title : 'your web server';
  const shown =
    chosen.length > 0 ? chosen : (['nginx', 'apache'] as const).map((kind) => ({ kind, file: undefined }));
  return {
    title: `Let ${title} pass ${what} on to the chat server`,
    parts: shown.flatMap((server) => [
      ...(shown.length > 1 ? [`With ${webServers[server.kind].title}:`] : []),
      ...blocksFor(server, addresses, port).flatMap(({ where, lines }) => [where, { lines }]),
      'Then:',
      { lines: reloadOf(server.kind) },
    ]),
  };
}

function page({ addresses: { site, chat, way }, login, userPath, condition }: Done): Step {
  const server = way === 'path' ? chat.pathname : chat.href;
  const loginUrl = login.origin === site.origin ? login.pathname + login.search : login.href;
  const tag = `<script type="module" src="${attribute(server)}php-chat.js"></script>
<php-chat server="${attribute(server)}" login-url="${attribute(loginUrl)}">The chat couldn’t be loaded. It needs JavaScript.</php-chat>`;
  const around = condition ?? phpCondition(userPath);
  return {
    title: 'Put the tag into a page',
    parts: [
      `The chat has a page of its own, ${chat.href}: log in to the site and try it first.`,
      ...(around === undefined
        ? []
        : [
            `In a ${around.language} template of the site:`,
            { lines: `${around.open}\n${tag.replace(/^/gm, '  ')}\n${around.close}` },
          ]),
      `${around === undefined ? 'In' : 'Or without code, such as in a block “Custom HTML”, in'} a page for people who are logged in:`,
      { lines: tag },
    ],
  };
}

const attribute = (text: string) => text.replaceAll('&', '&amp;').replaceAll('"', '&quot;');

/** Whether somebody is logged in, by a path of plain keys. */
function phpCondition(path: string | undefined): SiteDescription['condition'] {
  if (path === undefined || !/^[A-Za-z0-9_]+(\.[A-Za-z0-9_]+)*$/.test(path)) return undefined;
  const keys = path.split('.').map((key) => `['${key}']`);
  return {
    language: 'PHP',
    open: `<?php if (!empty($_SESSION${keys.join('')})): ?>`,
    close: '<?php endif ?>',
  };
}
