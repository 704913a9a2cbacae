import { accessSync, constants, existsSync, statSync } from 'node:fs';
import { isIP } from 'node:net';
import { dirname, resolve } from 'node:path';
import type { Finding } from 'php-sessions/doctor';
import type { BusPlace } from '../cluster/address.ts';
import { tryBus } from '../cluster/bus.ts';
import { howToRun } from '../command/how-to-run.ts';
import { openStorage } from '../files/open.ts';
import type { FilesPlace } from '../files/place.ts';
import { tryDatabase } from '../history/open.ts';
import { type DatabaseAddress, placeOf } from '../history/sql/address.ts';
import { clientFolder } from '../http/client-files.ts';
import { openMailServer } from '../mail/mail-server.ts';
import { placeOf as mailPlaceOf } from '../mail/place.ts';
import { loopback } from '../outgoing/addresses.ts';
import type { Config } from '../settings/config.ts';
import { isListed } from '../wire/origins.ts';
import { ok, problem, warning } from './finding.ts';

/**
 * For the doctor: checks everything that the server needs besides the sessions.
 * @param page the address of a page with the chat, or its origin
 */
export async function* checkServer(config: Config, page: string | undefined): AsyncGenerator<Finding> {
  if (process.geteuid?.() === 0) {
    yield warning(
      'This is root, who may read and write everything: what follows says nothing about another account.',
      `Run the doctor as the user of the chat server: runuser -u USER -- ${howToRun('doctor')}.`,
    );
  }
  yield config.history.kind === 'sqlite'
    ? checkHistoryFile(config.history.path)
    : await checkDatabase(config.history);
  if (config.cluster !== undefined && config.history.kind !== 'sqlite') {
    yield await checkBus(config.cluster, config.history);
  }
  yield await checkFiles(config.files);
  if (config.mail !== undefined) {
    yield await checkMailServer(config.mail);
    if (config.url?.startsWith('http:'))
      yield warning(
        'Mail programs show no button that stops mails: for that, the address in CHAT_URL has to be https://.',
        'Set CHAT_URL to the address by which browsers reach the chat with TLS.',
      );
  }
  yield checkClient();
  yield* checkOrigins(config, page);
  yield* checkProxies(config);
}

async function checkDatabase(address: DatabaseAddress): Promise<Finding> {
  try {
    await tryDatabase(address);
    return ok(`The history ${placeOf(address)} can be reached.`);
  } catch (error) {
    return problem(
      `The history ${placeOf(address)} cannot be reached. ${(error as Error).message}.`,
      'Start the database, or correct CHAT_HISTORY: the database has to exist, and its owner is the user to log in as.',
    );
  }
}

async function checkFiles(place: FilesPlace): Promise<Finding> {
  if (place.kind === 'off') return ok('No files can be uploaded: CHAT_FILES is off.');
  const where = place.kind === 'dir' ? `the folder ${resolve(place.folder)}` : `the bucket ${place.url}`;
  try {
    await (await openStorage(place)).check();
    return ok(`Files can be stored in ${where}.`);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    return problem(
      `Files cannot be stored in ${where} (${code ?? message}).`,
      place.kind === 'dir'
        ? 'Let the account of the chat server write to it, or set CHAT_FILES to another place, or to off.'
        : 'Correct CHAT_FILES: the bucket, its endpoint and region, and a key that may get, put and delete there.',
    );
  }
}

/** Advice by the code of an error of the mail server. */
const mailAdvice: Record<string, string> = {
  EAUTH:
    'Correct the user and the password of CHAT_MAIL. Many services want a password of its own for each program.',
  ETLS: 'smtp:// needs a mail server with STARTTLS, mostly at port 587. At port 465 it is smtps://.',
  EDNS: 'Correct the host of CHAT_MAIL.',
};

async function checkMailServer({ server: place }: NonNullable<Config['mail']>): Promise<Finding> {
  const server = await openMailServer(place);
  try {
    await server.check();
    const login = place.user === undefined ? 'answers' : 'takes the login';
    return ok(`The mail server ${mailPlaceOf(place)} ${login}.`);
  } catch (error) {
    const { code = '', message } = error as NodeJS.ErrnoException;
    return problem(
      `Mails cannot be sent by ${mailPlaceOf(place)}: ${message}.`,
      mailAdvice[code] ??
        'Correct CHAT_MAIL: smtps:// is mostly at port 465, smtp:// at 587. If its certificate is one of your own authority, name that by ?ca=FILE. Some providers block these ports.',
    );
  } finally {
    server.close();
  }
}

/** Milliseconds. Messages reach the users of other servers this much later. */
const slowBus = 100;

async function checkBus(place: BusPlace, history: DatabaseAddress): Promise<Finding> {
  const redis = place.kind === 'redis';
  const advice = redis
    ? 'Start the Redis, or correct CHAT_CLUSTER. Its user needs publish, subscribe and ping on the channels php-session-chat:*.'
    : 'The servers connect to PostgreSQL itself for NOTIFY: a pooler has to be in session mode.';
  try {
    const took = await tryBus(place, history);
    if (took === undefined) return ok('No bus: the servers look into the history every 100 ms.');
    if (took === null) {
      return problem('The bus of CHAT_CLUSTER takes what is sent, and does not hand it out.', advice);
    }
    if (took <= slowBus) return ok('The bus of CHAT_CLUSTER hands out what is sent.');
    return warning(
      `The bus of CHAT_CLUSTER is slow: what was sent came back after ${Math.round(took)} ms.`,
      'Messages of other servers come later by as much. Is it far away, or busy?',
    );
  } catch (error) {
    return problem(`The bus of CHAT_CLUSTER cannot be used. ${(error as Error).message}.`, advice);
  }
}

function checkHistoryFile(setting: string): Finding {
  const path = resolve(setting);
  const folder = dirname(path);
  const advice = `Let the account of the chat server write to ${folder}, or set CHAT_HISTORY to another file.`;
  const made = existsSync(path);
  // The server creates missing folders.
  let there = folder;
  while (!existsSync(there)) there = dirname(there);
  try {
    if (made && !statSync(path).isFile()) return problem(`The history ${path} is no file.`, advice);
    if (!statSync(there).isDirectory()) return problem(`For the history, ${there} is no folder.`, advice);
    if (made) accessSync(path, constants.R_OK | constants.W_OK);
    // In the folder too, because SQLite creates more files beside this one.
    accessSync(there, constants.W_OK | constants.X_OK);
  } catch (error) {
    return problem(
      `The history ${path} cannot be written (${(error as NodeJS.ErrnoException).code}).`,
      advice,
    );
  }
  return ok(
    made ? `The history ${path} can be written.` : `The history ${path} can be made: it does not exist yet.`,
  );
}

export function checkClient(): Finding {
  if (existsSync(new URL('php-chat.js', clientFolder))) return ok('The browser client is built.');
  return warning(
    'The browser client is not built: php-chat.js and the chat page are answered with 503.',
    'npm run build, and start the server again.',
  );
}

function* checkOrigins({ origins: listed }: Config, page: string | undefined): Generator<Finding> {
  if (page === undefined) {
    if (listed.filter(isWeb).every((origin) => loopback.test(hostOf(origin)))) {
      yield warning(
        `Only pages of this machine may connect: CHAT_ORIGINS is ${listed.join(',')}.`,
        'Set CHAT_ORIGINS to the origin of the site, such as https://www.example.org. With --origin the doctor checks one.',
      );
    }
    return;
  }
  const { origin } = new URL(page);
  if (isListed(new Set(listed), origin)) return yield ok(`Pages of ${origin} may connect.`);
  const near = listed.find((one) => bareHost(one) === bareHost(origin));
  yield problem(
    `Pages of ${origin} may not connect: CHAT_ORIGINS is ${listed.join(',') || 'empty'}.`,
    `Add it: CHAT_ORIGINS=${[...listed, origin].join(',')}.${
      near === undefined ? '' : ` ${near} is another origin: scheme, host and port have to be the same.`
    }`,
  );
}

/** Apps have origins such as `capacitor://localhost`. */
const isWeb = (origin: string) => /^https?:/.test(origin);
const hostOf = (origin: string) => new URL(origin).hostname;
const bareHost = (origin: string) => hostOf(origin).replace(/^www\./, '');

export function* checkProxies(config: Config): Generator<Finding> {
  const { trustedProxies, host } = config;
  const everybody = trustedProxies.find((range) => range.endsWith('/0'));
  if (everybody !== undefined) {
    yield problem(
      `CHAT_TRUSTED_PROXIES has ${everybody}: every visitor can pretend to have any address.`,
      'Name the addresses of the proxies alone.',
    );
  }
  if (trustedProxies.length > 0) return;
  const elsewhere = config.origins.filter((origin) => isWeb(origin) && !loopback.test(hostOf(origin)));
  const secure = elsewhere.find((origin) => origin.startsWith('https:'));
  const behind =
    secure !== undefined
      ? `${secure} needs TLS, which the chat server leaves to a proxy`
      : loopback.test(host) && elsewhere.length > 0
        ? `CHAT_HOST=${host} lets only this machine connect, so there is a proxy`
        : undefined;
  if (behind === undefined) return;
  yield problem(
    `All visitors would share the limits of one address: ${behind}, but CHAT_TRUSTED_PROXIES names none.`,
    `CHAT_TRUSTED_PROXIES=127.0.0.1 if the proxy runs on this machine, else its address${
      isIP(host) === 0 ? '' : ` as ${host === '0.0.0.0' || host === '::' ? 'this machine' : host} sees it`
    }.`,
  );
}
