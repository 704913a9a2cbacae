import { Resolver } from 'node:dns/promises';
import { accessSync, constants, existsSync, statSync } from 'node:fs';
import { isIP } from 'node:net';
import { dirname, resolve } from 'node:path';
import { domainToASCII } from 'node:url';
import { type Finding, ok, problem, warning } from 'php-sessions/doctor';
import type { BusPlace } from '../cluster/address.ts';
import { tryBus } from '../cluster/bus.ts';
import { openStorage } from '../files/open.ts';
import type { FilesPlace } from '../files/place.ts';
import { adviseOrigin, isSimilar } from '../health/arrivals.ts';
import { adviseFiles, describeSpace, filesPlaceOf, freeBytes } from '../health/space.ts';
import { type DatabaseAddress, placeOf } from '../history/engine/address.ts';
import { findHistoryFault, type HistoryPlace } from '../history/open.ts';
import { clientFolder } from '../http/client-files.ts';
import { openMailServer } from '../mail/mail-server.ts';
import { type MailboxPlace, placeOf as mailPlaceOf } from '../mail/place.ts';
import { checkMailbox } from '../mail/replies/mailbox.ts';
import { loopback } from '../outgoing/addresses.ts';
import { howToRun } from '../program/how-to-run.ts';
import type { Config } from '../settings/config.ts';
import { isListed } from '../wire/origins.ts';
import { describeFault } from './history-fault.ts';

/**
 * Checks everything that the server needs, except the logins.
 * @param options.page the address of a page with the chat, or its origin
 * @param options.chat the address of the chat
 * @param options.isRunning whether the server runs. It then reports about its history, bus and files itself.
 */
export async function* checkServer(
  config: Config,
  { page, chat, isRunning }: { page: string | undefined; chat: string | undefined; isRunning: boolean },
): AsyncGenerator<Finding> {
  const { history, cluster, mail, url } = config;
  if (process.geteuid?.() === 0) {
    yield warning(
      'Root may read and write everything, so these results do not apply to another account.',
      `Run the doctor as the user of the chat server: runuser -u USER -- ${howToRun('doctor')}.`,
    );
  }
  if (!isRunning) {
    yield* checkStorage(config);
    if (cluster !== undefined && history.kind !== 'sqlite') yield await checkBus(cluster, history);
  }
  if (mail !== undefined) {
    yield await checkMailServer(mail);
    if (mail.replies !== undefined) yield* checkReplies(mail.replies, mail.mailbox, config.apiKeys);
    if (url?.startsWith('http:'))
      yield warning(
        'Mail programs do not show a button to unsubscribe, because the address in CHAT_URL is not https://.',
        'Set CHAT_URL to the https:// address of the chat.',
      );
  }
  yield checkClient();
  yield* checkOrigins(config, page, chat);
  yield* checkProxies(config);
}

/** Checks the history and the files, without the running server. */
async function* checkStorage({ history, files }: Config): AsyncGenerator<Finding> {
  const ofHistory = history.kind === 'sqlite' ? dirname(resolve(history.path)) : undefined;
  yield* checkSpace('history', ofHistory, await checkHistory(history));
  yield* checkSpace(
    'files',
    files.kind === 'dir' ? resolve(files.folder) : undefined,
    await checkFiles(files),
  );
}

/**
 * Checks the disk of a folder.
 * @param access whether the server has access. A full disk makes a success meaningless, and explains a failure
 */
async function* checkSpace(
  what: string,
  folder: string | undefined,
  access: Finding,
): AsyncGenerator<Finding> {
  const space = folder === undefined ? undefined : describeSpace(what, folder, await freeBytes(folder));
  if (space?.level === 'problem') yield space;
  else yield access;
  if (space?.level === 'warning') yield space;
}

async function checkHistory(place: HistoryPlace): Promise<Finding> {
  const file = place.kind === 'sqlite' ? checkHistoryFile(place.path) : undefined;
  if (file !== undefined && file.level !== 'ok') return file;
  const fault = await findHistoryFault(place);
  if (fault !== undefined) return describeFault(fault);
  return file ?? ok(`The history ${placeOf(place as DatabaseAddress)} can be used.`);
}

function checkHistoryFile(setting: string): Finding {
  const path = resolve(setting);
  const folder = dirname(path);
  const advice = `Let the account of the chat server write to ${folder}, or set CHAT_HISTORY to another file.`;
  const exists = existsSync(path);
  // The server creates missing folders.
  let existingFolder = folder;
  while (!existsSync(existingFolder)) existingFolder = dirname(existingFolder);
  try {
    if (exists && !statSync(path).isFile()) return problem(`The history ${path} is not a file.`, advice);
    if (!statSync(existingFolder).isDirectory())
      return problem(
        `The history ${path} cannot be created, because ${existingFolder} is not a folder.`,
        advice,
      );
    if (exists) accessSync(path, constants.R_OK | constants.W_OK);
    // SQLite creates more files in the folder.
    accessSync(existingFolder, constants.W_OK | constants.X_OK);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return problem(`The history ${path} cannot be written (${code}).`, advice);
  }
  return ok(
    exists
      ? `The history ${path} can be written.`
      : `The history ${path} does not exist yet, and can be created.`,
  );
}

async function checkFiles(place: FilesPlace): Promise<Finding> {
  if (place.kind === 'off') return ok('Files cannot be uploaded: CHAT_FILES is off.');
  const where = filesPlaceOf(place);
  try {
    await (await openStorage(place)).check();
    return ok(`Files can be stored in ${where}.`);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    return problem(`Files cannot be stored in ${where} (${code ?? message}).`, adviseFiles(place));
  }
}

/** Advice by the error code of the mail server. */
const mailAdvice: Record<string, string> = {
  EAUTH:
    'Correct the user and the password of CHAT_MAIL. Many services want a separate password for each program.',
  ETLS: 'smtp:// needs a mail server with STARTTLS, usually at port 587. For port 465, use smtps://.',
  EDNS: 'Correct the host of CHAT_MAIL.',
};

async function checkMailServer({ server: place }: NonNullable<Config['mail']>): Promise<Finding> {
  const server = await openMailServer(place);
  const name = mailPlaceOf(place);
  try {
    await server.check();
    return ok(`The mail server ${name} ${place.user === undefined ? 'answers' : 'accepts the login'}.`);
  } catch (error) {
    const { code = '', message } = error as NodeJS.ErrnoException;
    return problem(
      `Mails cannot be sent through ${name}: ${message}.`,
      mailAdvice[code] ??
        'Correct CHAT_MAIL: smtps:// usually uses port 465, smtp:// port 587. If your own authority issued the certificate, name that authority with ?ca=FILE. Some providers block these ports.',
    );
  } finally {
    server.close();
  }
}

/** The time in ms for a look-up of the domain for answers. */
const lookUpMs = 3000;

/** Checks whether answers to mails can arrive. */
async function* checkReplies(
  { domain }: { domain: string },
  mailbox: MailboxPlace | undefined,
  keys: readonly string[],
): AsyncGenerator<Finding> {
  if (mailbox !== undefined) yield await tryMailbox(mailbox);
  else if (keys.length === 0)
    yield problem(
      'Answers to mails cannot be received, because the command receive-mail has no key.',
      'Set CHAT_API_KEY_FILE as in docs/api.md, and restart the server.',
    );
  const resolver = new Resolver({ timeout: lookUpMs, tries: 1 });
  const name = domainToASCII(domain);
  const lacks = async (found: Promise<unknown>) =>
    found.then(
      () => false,
      ({ code }: NodeJS.ErrnoException) => ['ENOTFOUND', 'ENODATA'].includes(code ?? ''),
    );
  if ((await lacks(resolver.resolveMx(name))) && (await lacks(resolver.resolve4(name))))
    yield warning(
      `Answers to mails cannot arrive, because the domain ${domain} of CHAT_MAIL_REPLIES has no mail server.`,
      'Add an MX record for it, or use another domain. See docs/operate/mail-replies.md.',
    );
}

async function tryMailbox(place: MailboxPlace): Promise<Finding> {
  const name = mailPlaceOf(place, 'imap');
  try {
    await checkMailbox(place);
    return ok(`The mailbox with answers to mails at ${name} can be opened.`);
  } catch (error) {
    const { message, cause } = error as Error;
    const isRejected = (cause as { authenticationFailed?: boolean }).authenticationFailed === true;
    return problem(
      `The mailbox with answers to mails at ${name} cannot be opened: ${message}.`,
      isRejected
        ? 'Correct the user and the password of CHAT_MAIL_IN, in which @ is %40 and / is %2F.'
        : 'Correct CHAT_MAIL_IN: imaps:// usually uses port 993. If your own authority issued the certificate, name that authority with ?ca=FILE.',
    );
  }
}

const slowBusMs = 100;

async function checkBus(place: BusPlace, history: DatabaseAddress): Promise<Finding> {
  const advice =
    place.kind === 'redis'
      ? 'Start Redis, or correct CHAT_CLUSTER. The Redis user needs publish, subscribe and ping on the channels php-session-chat:*.'
      : 'NOTIFY needs a direct connection to PostgreSQL, or a pooler in session mode.';
  try {
    const delayMs = await tryBus(place, history);
    if (delayMs === undefined) return ok('No bus: the servers poll the history every 100 ms.');
    if (delayMs === null)
      return problem('The bus of CHAT_CLUSTER accepts messages, but does not deliver them.', advice);
    if (delayMs <= slowBusMs) return ok('The bus of CHAT_CLUSTER delivers messages.');
    return warning(
      `The bus of CHAT_CLUSTER is slow: a message came back after ${Math.round(delayMs)} ms.`,
      'Messages from other servers are delayed by this time. Check whether the bus is far away or busy.',
    );
  } catch (error) {
    return problem(`The bus of CHAT_CLUSTER cannot be used. ${(error as Error).message}.`, advice);
  }
}

export function checkClient(): Finding {
  if (existsSync(new URL('php-chat.js', clientFolder))) return ok('The browser client is built.');
  return warning(
    'The browser client is not built: php-chat.js and the chat page return status 503.',
    'Run npm run build, and restart the server.',
  );
}

function* checkOrigins(
  { origins, logins }: Config,
  page: string | undefined,
  chat: string | undefined,
): Generator<Finding> {
  if (page !== undefined) yield checkOrigin(origins, new URL(page).origin);
  else {
    if (origins.filter(isWeb).every((origin) => loopback.test(hostOf(origin)))) {
      yield warning(
        `Only pages of this machine may connect: CHAT_ORIGINS is ${origins.join(',')}.`,
        'Set CHAT_ORIGINS to the origin of the site, such as https://www.example.org. The option --origin checks one.',
      );
    }
  }
  if (chat === undefined || loopback.test(hostOf(chat))) return;
  const { origin } = new URL(chat);
  const finding = checkOrigin(origins, origin);
  const isUsed = isOnSite(new URL(chat), logins) || origins.some((each) => isSimilar(each, origin));
  if (finding.level === 'problem' && !isUsed) yield { ...finding, level: 'warning' };
  else if (page === undefined || new URL(page).origin !== origin) yield finding;
}

/** Whether the pages of the site have the origin of the chat, because the chat has a path of the site. */
export const isOnSite = ({ pathname }: URL, logins: Config['logins']): boolean =>
  pathname !== '/' && !('ticketsOnly' in logins);

const checkOrigin = (origins: readonly string[], origin: string): Finding =>
  isListed(new Set(origins), origin)
    ? ok(`Pages of ${origin} may connect.`)
    : problem(
        `Pages of ${origin} may not connect: CHAT_ORIGINS is ${origins.join(',') || 'empty'}.`,
        adviseOrigin(origins, origin),
      );

/** Whether an origin belongs to web pages. Apps have origins such as `capacitor://localhost`. */
const isWeb = (origin: string) => /^https?:/.test(origin);
const hostOf = (origin: string) => new URL(origin).hostname;

export function* checkProxies({ trustedProxies, host, origins }: Config): Generator<Finding> {
  const allAddresses = trustedProxies.find((range) => range.endsWith('/0'));
  if (allAddresses !== undefined) {
    yield problem(
      `CHAT_TRUSTED_PROXIES has ${allAddresses}: every visitor can forge any address.`,
      'List only the addresses of the proxies.',
    );
  }
  if (trustedProxies.length > 0) return;
  const remote = origins.filter((origin) => isWeb(origin) && !loopback.test(hostOf(origin)));
  const secure = remote.find((origin) => origin.startsWith('https:'));
  let reason: string;
  if (secure !== undefined) reason = `${secure} needs TLS, which the chat server leaves to a proxy`;
  else if (loopback.test(host) && remote.length > 0)
    reason = `CHAT_HOST=${host} lets only this machine connect, so there is a proxy`;
  else return;
  const listensOnAll = host === '0.0.0.0' || host === '::';
  const seenBy = isIP(host) === 0 ? '' : ` as ${listensOnAll ? 'this machine' : host} sees it`;
  yield problem(
    `All visitors would share the limits of one address: ${reason}, but CHAT_TRUSTED_PROXIES names none.`,
    `Set CHAT_TRUSTED_PROXIES=127.0.0.1 if the proxy runs on this machine, otherwise its address${seenBy}.`,
  );
}
