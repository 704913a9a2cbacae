import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { hostname } from 'node:os';
import {
  type LoginSettings,
  type Names,
  type OptionName,
  optionTexts,
  readOptions,
  useNames,
} from 'php-sessions';
import { z } from 'zod';
import { readBusPlace } from '../cluster/address.ts';
import { type FilesPlace, readFilesPlace } from '../files/place.ts';
import { eventTypes } from '../history/history.ts';
import { readHistoryPlace } from '../history/open.ts';
import type { GuestSettings } from '../logins/guests.ts';
import type { TicketSettings } from '../logins/tickets.ts';
import { readMailbox } from '../mail/address.ts';
import { readMailboxPlace, readMailPlace } from '../mail/place.ts';
import { maxRepliesLocal, readRepliesAddress } from '../mail/replies/reply-address.ts';
import { readTemplates } from '../mail/templates.ts';
import { howToRun } from '../program/how-to-run.ts';
import { CommandProblem, exit } from '../program/problem.ts';
import { readServiceAccount } from '../push/fcm.ts';
import { visibleLine } from '../text/blank.ts';
import { presenceTypes } from '../webhooks/presence.ts';
import type { Branding } from '../wire/branding.ts';
import { roomId, zone } from '../wire/events.ts';
import {
  apiKey,
  colour,
  contact,
  count,
  duration,
  durationForm,
  durationOrNone,
  endpoint,
  keyFile,
  linkAddress,
  list,
  logoFile,
  logoForm,
  mediaType,
  network,
  optional,
  origin,
  pageAddress,
  rate,
  readBy,
  readEach,
  readTexts,
  retention,
  roomSetting,
  sealingKey,
  secretFile,
  secretIn,
  shown,
  size,
  sizeRate,
  type Texts,
  template,
  ticketKey,
  time,
  webAddress,
  webHost,
  webhookKey,
} from './forms.ts';
import { addUnknown, unknownSettings } from './names.ts';

/** Invalid settings, each with its fix. A service manager need not restart the process. */
export class ConfigError extends CommandProblem {
  constructor(problems: readonly string[]) {
    super(
      exit.configuration,
      `Settings that cannot be used:\n${problems.map((problem) => `  ${problem}`).join('\n')}`,
    );
    this.name = 'ConfigError';
  }
}

/** The environment variables for the options of `php-sessions`, which defines their defaults and formats. */
const sessionSettings = {
  site: 'CHAT_SITE',
  siteDatabase: 'CHAT_SITE_DATABASE',
  siteEnv: 'CHAT_SITE_ENV',
  siteBlog: 'CHAT_SITE_BLOG',
  siteAdmins: 'CHAT_SITE_ADMINS',
  siteModerators: 'CHAT_SITE_MODERATORS',
  siteChecks: 'CHAT_SITE_CHECKS',
  store: 'CHAT_SESSION_STORE',
  cookieName: 'CHAT_SESSION_NAME',
  cookie: 'CHAT_SESSION_COOKIE',
  charset: 'CHAT_SESSION_CHARSET',
  userId: 'CHAT_USER_ID',
  userName: 'CHAT_USER_NAME',
  userRequire: 'CHAT_USER_REQUIRE',
  userNobody: 'CHAT_USER_NOBODY',
  userTable: 'CHAT_USER_TABLE',
  admins: 'CHAT_ADMINS',
  moderators: 'CHAT_MODERATORS',
  userGroups: 'CHAT_USER_ROOMS',
  userRoles: 'CHAT_USER_ROLES',
  userBanned: 'CHAT_USER_BANNED',
  userMail: 'CHAT_USER_MAIL',
} as const satisfies Record<Exclude<OptionName, 'teamRoles'>, string>;

/** Returns the environment variable for an option of `php-sessions`. The roles of the team are a part of CHAT_TEAM. */
const settingOf = (option: OptionName): string =>
  option === 'teamRoles' ? 'CHAT_TEAM' : sessionSettings[option];

/** The names of settings in the messages of `php-sessions`. */
export const sessionNames: Names = {
  option: settingOf,
  grants: howToRun('doctor', '--grants'),
  trustedProxies: 'CHAT_TRUSTED_PROXIES',
  pageOrigins: 'CHAT_ORIGINS',
};
useNames(sessionNames);

const onOff = z.enum(['on', 'off']).transform((v) => v === 'on');
const retentionForm = 'none, or a time such as 90d';
const templateForm = 'a path beginning with / or an https:// address, with {id} where the user ID belongs';

/** Settings that may contain a password. A setting with the suffix `_FILE` can name a file with the value instead. */
const secretSettings = [
  'CHAT_SITE_DATABASE',
  'CHAT_SESSION_STORE',
  'CHAT_HISTORY',
  'CHAT_CLUSTER',
  'CHAT_FILES',
  'CHAT_MAIL',
  'CHAT_MAIL_IN',
] as const;

const secretFileForm = 'the path of a file that holds the setting in one line';

/** Reads a service account from the file with its key. */
const serviceAccountFile = readBy((file) => {
  try {
    return readServiceAccount(readFileSync(file, 'utf8'));
  } catch {
    return undefined;
  }
});

/** The maximum characters of CHAT_NAME. */
export const maxName = 60;
/** The maximum characters of CHAT_GUEST_LABEL. */
const maxGuestLabel = 20;
/** The maximum characters of CHAT_TEAM_TEXT. */
const maxTeamText = 200;
/** The maximum of CHAT_LIMIT_TEXT. */
const maxText = 10_000;
/** The maximum of CHAT_LIMIT_LATER. */
const maxLater = 1000;
/** The maximum words and phrases of CHAT_HOLD_WORDS. */
const maxHoldWords = 1000;

/**
 * Maximum bytes of an answer to a mail, without its text: at least this, because mails with files that the chat does not
 * accept are answered too.
 */
const leastMailBytes = 10 * 1024 * 1024;
/** Bytes for the texts and headers of an answer to a mail. */
const mailTextBytes = 1024 * 1024;

/** Maximum of CHAT_CARDS_TIMEOUT, in ms: clients get every answer within 8 s. */
const maxCardsTimeoutMs = 5000;

/** All other settings. The tuples are described at `Setting` in forms.ts. */
const settings = {
  CHAT_HOST: [
    '0.0.0.0',
    z.string().refine((v) => isIP(v) !== 0 || /^[A-Za-z0-9.-]+$/.test(v)),
    'an address or a host name',
  ],
  CHAT_PORT: [
    '7070',
    z
      .string()
      .regex(/^\d{1,5}$/)
      .transform(Number)
      .pipe(z.int().max(65_535)),
    'a port, 0 to 65535',
  ],
  CHAT_ORIGINS: [
    'http://localhost:8080,http://127.0.0.1:8080',
    list.pipe(z.array(origin)),
    'origins such as https://www.example.org, https://*.example.org or capacitor://localhost, without a path, separated by commas',
  ],
  CHAT_NATIVE_CLIENTS: ['true', z.enum(['true', 'false']).transform((v) => v === 'true'), 'true or false'],
  CHAT_TICKET_KEY_FILE: [
    '',
    keyFile(ticketKey),
    'the path of a file that holds a key: 32 random bytes or more in base64; several, one a line',
    'key file',
  ],
  CHAT_TICKET_AUDIENCE: [
    '',
    z.string().regex(/^[!-~]{0,256}$/),
    'a name without blanks, such as the host of the chat server',
  ],
  CHAT_TICKET_TTL: ['15m', duration, durationForm('15m')],
  CHAT_GUESTS: ['off', z.enum(['off', 'read', 'write']), 'off, read or write'],
  CHAT_GUEST_ROOMS: [
    '',
    list.pipe(z.array(roomId.regex(/^(?![ud]-)/))),
    'IDs of rooms of CHAT_ROOMS or the API, separated by commas',
  ],
  CHAT_GUEST_LABEL: [
    'Guest',
    z.string().refine((label) => label !== '' && visibleLine(label, maxGuestLabel) === label),
    `a word of up to ${maxGuestLabel} characters`,
  ],
  CHAT_TEAM: [
    '',
    list.pipe(z.array(z.string().regex(/^(?:role:[^\p{Cc}]{1,100}|(?!role:|\*$|0$)[^\p{Cc}]{1,64})$/u))),
    'IDs of users, or role: and the name of a role, such as role:moderator, separated by commas',
  ],
  CHAT_TEAM_TEXT: [
    '',
    optional(z.string().refine((text) => visibleLine(text, maxTeamText) === text)),
    `a line of up to ${maxTeamText} visible characters`,
  ],
  CHAT_SESSION_CHECK: ['1s', duration, durationForm('1s')],
  CHAT_SESSION_GRACE: ['5m', duration, durationForm('5m')],
  CHAT_SESSION_KEEPALIVE: ['on', onOff, 'on or off'],
  CHAT_HISTORY: [
    'sqlite:./data/chat.db',
    readBy(readHistoryPlace),
    'a history: give sqlite:PATH for a file, or postgres://USER:PASSWORD@HOST/DATABASE or mysql://… (special characters of the password percent-encoded)',
    'address',
  ],
  CHAT_SITE_DATABASE_FILE: ['', secretFile, secretFileForm, 'key file'],
  CHAT_SESSION_STORE_FILE: ['', secretFile, secretFileForm, 'key file'],
  CHAT_HISTORY_FILE: ['', secretFile, secretFileForm, 'key file'],
  CHAT_CLUSTER_FILE: ['', secretFile, secretFileForm, 'key file'],
  CHAT_FILES_FILE: ['', secretFile, secretFileForm, 'key file'],
  CHAT_MAIL_FILE: ['', secretFile, secretFileForm, 'key file'],
  CHAT_MAIL_IN_FILE: ['', secretFile, secretFileForm, 'key file'],
  CHAT_CLUSTER: [
    '',
    optional(readBy(readBusPlace)),
    'a bus: give redis://[USER:PASSWORD@]HOST[:PORT][/DATABASE] (special characters of the password percent-encoded), or postgres or mysql for the database of the history',
    'address',
  ],
  CHAT_NODE: [
    '',
    optional(z.string().regex(/^[A-Za-z0-9._:-]{1,64}$/)),
    'a name of up to 64 of A-Z a-z 0-9 . _ : -',
  ],
  CHAT_DRAIN: ['', optional(durationOrNone), 'a duration such as 8s, or 0s'],
  CHAT_LOGIN_URL: ['http://localhost:8080/', webAddress, 'a web address, or a path beginning with /'],
  CHAT_ROOMS: [
    'lobby',
    list
      .pipe(z.array(roomSetting).min(1))
      .refine((rooms) => new Set(rooms.map(({ id, name }) => id ?? name)).size === rooms.length),
    'names of rooms, each once, separated by commas, or ID:NAME with an id of A-Z a-z 0-9 _ - that does not begin with u-, d- or r-',
  ],
  CHAT_CREATE_ROOMS: ['private', z.enum(['none', 'private', 'all']), 'none, private or all'],
  CHAT_DIRECT: ['on', onOff, 'on or off'],
  CHAT_LAST_SEEN: ['on', onOff, 'on or off'],
  CHAT_SEEN: ['on', onOff, 'on or off'],
  CHAT_MODERATE_DATA: ['off', onOff, 'on or off'],
  CHAT_FIND_PEOPLE: ['rooms', z.enum(['rooms', 'all', 'off']), 'rooms, all or off'],
  CHAT_NAME: [
    '',
    optional(z.string().refine((name) => visibleLine(name, maxName) === name)),
    `a name of up to ${maxName} visible characters`,
  ],
  CHAT_ACCENT: ['', optional(colour), 'a colour such as #a3420b'],
  CHAT_LOGO: ['', optional(logoFile), logoForm, 'file'],
  CHAT_USER_AVATAR: ['', z.literal('').or(template), templateForm],
  CHAT_USER_URL: ['', z.literal('').or(template), templateForm],
  CHAT_API_KEY: [
    '',
    list.pipe(z.array(apiKey)),
    'a key of 16 characters or more, without blanks; several, separated by commas, while one replaces another',
    'key',
  ],
  CHAT_API_KEY_FILE: [
    '',
    // Rejects commented-out lines, which would otherwise be keys.
    keyFile(apiKey.regex(/^[^#;]/)),
    'the path of a file that holds a key of 16 characters or more, without blanks and without # or ; before it; several, one a line',
    'key file',
  ],
  CHAT_WEBHOOK_URL: ['', optional(endpoint), 'an address that begins with http:// or https://', 'address'],
  CHAT_WEBHOOK_KEY_FILE: [
    '',
    keyFile(webhookKey),
    'the path of a file that holds a key: whsec_ and 24 to 64 random bytes in base64; several, one a line',
    'key file',
  ],
  CHAT_WEBHOOK_EVENTS: [
    // A site that subscribes to `notify.due` must send mails, because clients then offer them. So it is not a default.
    eventTypes.filter((type) => type !== 'notify.due').join(','),
    list.pipe(z.array(z.enum([...eventTypes, ...presenceTypes])).min(1)),
    `types of events, separated by commas: ${[...eventTypes, ...presenceTypes].join(', ')}`,
  ],
  CHAT_CARDS_URL: ['', optional(endpoint), 'an address that begins with http:// or https://', 'address'],
  CHAT_CARDS_TIMEOUT: [
    '3s',
    duration.refine((ms) => ms <= maxCardsTimeoutMs),
    durationForm('3s', `${maxCardsTimeoutMs / 1000}s`),
  ],
  CHAT_URL: [
    '',
    optional(linkAddress),
    'the http:// or https:// address of the chat server, without a query',
  ],
  CHAT_PAGE_URL: [
    '',
    optional(pageAddress),
    'the http:// or https:// address of a page, without a fragment (#)',
  ],
  CHAT_MAIL: [
    '',
    optional(readBy(readMailPlace)),
    'a mail server: give smtps://USER:PASSWORD@HOST[:PORT], or smtp://… for STARTTLS (special characters of the user and the password percent-encoded: @ is %40)',
    'address',
  ],
  CHAT_MAIL_PASSWORD_FILE: [
    '',
    keyFile(z.string().max(1000)).refine(({ length }) => length <= 1),
    'the path of a file that holds a password in one line',
    'key file',
  ],
  CHAT_MAIL_FROM: [
    '',
    optional(readBy(readMailbox)),
    'a sender: give an address such as chat@example.org, or NAME <chat@example.org>',
  ],
  CHAT_MAIL_REPLIES: [
    '',
    optional(readBy(readRepliesAddress)),
    `an address such as replies@chat.example.org, with up to ${maxRepliesLocal} characters and no + before the @`,
  ],
  CHAT_MAIL_IN: [
    '',
    optional(readBy(readMailboxPlace)),
    'a mailbox: give imaps://USER:PASSWORD@HOST[:PORT][/FOLDER], or imap://… for STARTTLS (special characters of the user and the password percent-encoded: @ is %40)',
    'address',
  ],
  CHAT_MAIL_TEXT: ['off', onOff, 'on or off'],
  CHAT_MAIL_NEW_MEMBERS: ['on', onOff, 'on or off'],
  CHAT_MAIL_TEMPLATES: ['', z.string(), 'a folder'],
  CHAT_PUSH_CONTACT: [
    '',
    z.literal('').or(contact),
    'mailto: with an address, or an https:// address, where operators of push services can reach you: with a public domain, because Apple rejects localhost, IP addresses, .local, .invalid and similar',
  ],
  CHAT_PUSH_KEY_FILE: [
    '',
    keyFile(sealingKey),
    'the path of a file that holds a key: 32 random bytes in base64; several, one a line',
    'key file',
  ],
  CHAT_PUSH_HOSTS: [
    '',
    list.pipe(z.array(webHost)),
    'hosts such as push.example or push.example:8443, each without *, separated by commas',
  ],
  CHAT_FCM: [
    '',
    optional(serviceAccountFile),
    'the path of the file with the private key of a service account, as the Firebase console makes it',
    'key file',
  ],
  CHAT_NOTIFY_AFTER: ['15m', duration, durationForm('15m')],
  CHAT_TIME_ZONE: ['UTC', zone, 'the name of a time zone such as Europe/Paris'],
  CHAT_TRUSTED_PROXIES: [
    '',
    list.pipe(z.array(network)),
    'addresses or ranges such as 10.0.0.0/8, separated by commas',
  ],
  CHAT_LIMIT_SEND: ['20/10s', rate, 'a rate such as 20/10s, or 0'],
  CHAT_LIMIT_REQUESTS: ['200/10s', rate, 'a rate such as 200/10s, or 0'],
  CHAT_LIMIT_CONNECT_ADDRESS: ['300/10s', rate, 'a rate such as 300/10s, or 0'],
  CHAT_LIMIT_CONNECTIONS_ADDRESS: ['200', count, 'a number, or 0'],
  CHAT_LIMIT_CONNECTIONS_USER: ['20', count, 'a number, or 0'],
  CHAT_LIMIT_GUESTS: ['60/1h', rate, 'a rate such as 60/1h, or 0'],
  CHAT_LIMIT_MEMBERS: ['1000', count, 'a number, or 0'],
  CHAT_RETENTION: ['none', retention, retentionForm],
  CHAT_RETENTION_DIRECT: ['none', retention, retentionForm],
  CHAT_AUDIT: ['365d', retention, retentionForm],
  CHAT_LIMIT_ROOMS_USER: ['200', count, 'a number, or 0'],
  CHAT_LIMIT_LATER: ['100', count.refine((v) => v >= 1 && v <= maxLater), `a number from 1 to ${maxLater}`],
  CHAT_LIMIT_INVITE: ['50/1h', rate, 'a rate such as 50/1h, or 0'],
  CHAT_LIMIT_REPORT: ['10/1h', rate, 'a rate such as 10/1h, or 0'],
  CHAT_LIMIT_SEARCH: ['30/10s', rate, 'a rate such as 30/10s, or 0'],
  CHAT_LIMIT_CHANGE: ['60/1m', rate, 'a rate such as 60/1m, or 0'],
  CHAT_LIMIT_CREATE: ['20/1h', rate, 'a rate such as 20/1h, or 0'],
  CHAT_LIMIT_ME: ['600/10s', rate, 'a rate such as 600/10s, or 0'],
  CHAT_LIMIT_QUEUE: ['1MB', size, 'a size such as 512KB or 1MB, or 0'],
  CHAT_LIMIT_TEXT: [
    '4000',
    z
      .string()
      .regex(/^\d{1,5}$/)
      .transform(Number)
      .pipe(z.int().min(1).max(maxText)),
    `1 to ${maxText}`,
  ],
  CHAT_FILES: [
    'dir:./data/files',
    readBy(readFilesPlace),
    'a storage for files: give dir:FOLDER, s3://[KEY:SECRET@]BUCKET[?endpoint=ADDRESS&region=REGION&prefix=PREFIX] (special characters of the key and secret percent-encoded), or off',
    'address',
  ],
  CHAT_HOLD: ['off', z.enum(['off', 'links', 'first', 'all']), 'off, links, first or all'],
  CHAT_HOLD_WORDS: [
    '',
    list.pipe(z.array(z.string().max(100)).max(maxHoldWords)),
    `up to ${maxHoldWords} words or phrases, separated by commas`,
  ],
  CHAT_PREVIEWS: ['off', onOff, 'on or off'],
  CHAT_PREVIEW_HOSTS: [
    '',
    list.pipe(z.array(webHost)),
    'hosts such as wiki.example or wiki.example:8080, each without *, separated by commas',
  ],
  CHAT_FILE_TYPES: [
    'image/*,video/mp4,audio/*,application/pdf,text/plain,application/zip',
    list.pipe(z.array(mediaType).min(1)),
    'types of files such as image/* or application/pdf, separated by commas',
  ],
  CHAT_LIMIT_FILE: ['10MB', size.refine((bytes) => bytes > 0), 'a size such as 512KB or 10MB'],
  CHAT_LIMIT_FILES_USER: ['500MB/24h', sizeRate, 'a size in a time such as 500MB/24h, or 0'],
  CHAT_FILES_ORPHANS: ['24h', time, 'a duration such as 24h or 7d'],
  CHAT_LOG_LEVEL: [
    'info',
    z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']),
    'fatal, error, warn, info, debug, trace or silent',
  ],
  OTEL_EXPORTER_OTLP_ENDPOINT: [
    '',
    optional(linkAddress),
    'the http:// or https:// address of an OpenTelemetry collector, without the path of the traces',
  ],
} as const;

type Settings = typeof settings;
type Value<K extends keyof Settings> = z.output<Settings[K][1]>;
type Parsed = { [K in keyof Settings]: Value<K> };

/** The names of all settings. */
export const settingNames: readonly string[] = [...Object.values(sessionSettings), ...Object.keys(settings)];

/** The settings of this process, frozen. Durations are in milliseconds. */
export type Config = ReturnType<typeof readConfig>;

/**
 * Reads the settings, all at once.
 * @param lines the file and line of each setting from a file, for the messages
 * @throws ConfigError with all invalid settings
 */
export function readConfig(env: NodeJS.ProcessEnv, lines: ReadonlyMap<string, string> = new Map()) {
  const wrong = (problems: readonly string[]) =>
    new ConfigError(
      problems.map((problem) => {
        const line = lines.get(/^\w+/.exec(problem)?.[0] ?? '');
        return line === undefined ? problem : `${line}: ${problem}`;
      }),
    );
  const { texts, problems: flaws } = textsIn(env);
  if (flaws.length > 0) throw wrong(flaws);
  const { parsed, problems } = readEach(settings, texts);
  if (texts.CHAT_API_KEY && texts.CHAT_API_KEY_FILE) {
    problems.push('CHAT_API_KEY and CHAT_API_KEY_FILE: give one of them, not both');
  }
  if (texts.CHAT_WEBHOOK_URL && !texts.CHAT_WEBHOOK_KEY_FILE) {
    problems.push(
      'CHAT_WEBHOOK_URL and CHAT_WEBHOOK_KEY_FILE: the site must verify the signatures of events; set the key file too',
    );
  }
  if (texts.CHAT_CARDS_URL && !texts.CHAT_WEBHOOK_KEY_FILE) {
    problems.push(
      'CHAT_CARDS_URL and CHAT_WEBHOOK_KEY_FILE: the site must verify the signatures of requests for cards; set the key file too',
    );
  }
  problems.push(...mailProblems(texts, parsed as Partial<Parsed>));
  if ((texts.CHAT_PUSH_CONTACT || texts.CHAT_FCM) && !texts.CHAT_PUSH_KEY_FILE) {
    problems.push(
      `${texts.CHAT_PUSH_CONTACT ? 'CHAT_PUSH_CONTACT' : 'CHAT_FCM'} and CHAT_PUSH_KEY_FILE: device logins are stored encrypted; set the key file too`,
    );
  }
  problems.push(...clusterProblems(parsed as Partial<Parsed>));
  const files = withCredentials((parsed as Partial<Parsed>).CHAT_FILES, env);
  if (files?.kind === 's3' && files.credentials === undefined) {
    problems.push(
      'CHAT_FILES: the key of the bucket is missing; give s3://KEY:SECRET@BUCKET, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY',
    );
  }
  const logins = loginsOf(texts);
  if ('problems' in logins) problems.push(...logins.problems);
  problems.push(...ticketProblems(texts));
  const {
    CHAT_GUESTS: guests = 'off',
    CHAT_GUEST_ROOMS: guestRooms = [],
    CHAT_TEAM: team = [],
  } = parsed as Partial<Parsed>;
  if (guests !== 'off' && guestRooms.length === 0 && (guests === 'read' || team.length === 0))
    problems.push(
      'CHAT_GUESTS and CHAT_GUEST_ROOMS: no room is open to guests; set CHAT_GUEST_ROOMS to the IDs of rooms',
    );
  const unknown = unknownSettings(env, 'CHAT_', settingNames, lines);
  addUnknown(problems, unknown);
  if ('problems' in logins || problems.length > 0) throw wrong(problems);
  const value = parsed as Parsed;
  return Object.freeze({
    /** Names that look like settings but are unknown to this version. */
    unknown,
    /** The settings that differ from the default, without keys and passwords. */
    shown: differingSettings(env),
    host: value.CHAT_HOST,
    port: value.CHAT_PORT,
    origins: value.CHAT_ORIGINS,
    nativeClients: value.CHAT_NATIVE_CLIENTS,
    logins,
    /** Undefined if this server accepts no tickets. */
    tickets: ticketsOf(value, texts),
    /** Undefined if all users need a login. */
    guests: guestsOf(value),
    /** Undefined if visitors cannot ask questions. */
    team: teamOf(value, texts),
    sessionCheck: value.CHAT_SESSION_CHECK,
    sessionGrace: value.CHAT_SESSION_GRACE,
    sessionKeepalive: value.CHAT_SESSION_KEEPALIVE,
    history: value.CHAT_HISTORY,
    files: files as FilesPlace,
    previews: value.CHAT_PREVIEWS,
    previewHosts: value.CHAT_PREVIEW_HOSTS,
    fileTypes: value.CHAT_FILE_TYPES,
    limitFile: value.CHAT_LIMIT_FILE,
    limitFilesUser: value.CHAT_LIMIT_FILES_USER,
    filesOrphans: value.CHAT_FILES_ORPHANS,
    cluster: value.CHAT_CLUSTER,
    /** Undefined if the operator did not name this server. */
    node: value.CHAT_NODE,
    drain: drainTimes(value),
    loginUrl: value.CHAT_LOGIN_URL,
    /**
     * The login address for clients, without the placeholders of the return address, which only pages can replace.
     * Undefined for the default, which is only valid for the sample site.
     */
    siteLoginUrl:
      value.CHAT_LOGIN_URL === settings.CHAT_LOGIN_URL[0]
        ? undefined
        : (value.CHAT_LOGIN_URL as string).replace(/\{return\w*\}/g, ''),
    rooms: value.CHAT_ROOMS,
    apiKeys: [...value.CHAT_API_KEY, ...value.CHAT_API_KEY_FILE],
    /** Undefined if the site does not receive events. */
    webhooks: value.CHAT_WEBHOOK_URL && {
      url: value.CHAT_WEBHOOK_URL,
      keys: value.CHAT_WEBHOOK_KEY_FILE,
      events: new Set(value.CHAT_WEBHOOK_EVENTS),
    },
    /** Undefined if messages have no cards of the site. */
    cards: value.CHAT_CARDS_URL && {
      url: value.CHAT_CARDS_URL,
      keys: value.CHAT_WEBHOOK_KEY_FILE,
      timeoutMs: value.CHAT_CARDS_TIMEOUT,
    },
    /** The public address of this server, without a trailing slash, and the address of the page with the chat. */
    url: value.CHAT_URL,
    pageUrl: value.CHAT_PAGE_URL ?? (value.CHAT_URL && `${value.CHAT_URL}/`),
    /** Undefined if this server does not send mails. */
    mail: mailOf(value),
    /** Maximum bytes of an answer to a mail. Attachments are encoded, so they are larger than their files. */
    maxMailBytes: Math.max(leastMailBytes, Math.ceil(value.CHAT_LIMIT_FILE * 1.4)) + mailTextBytes,
    /** Undefined if push notifications are off. */
    push:
      value.CHAT_PUSH_CONTACT || value.CHAT_FCM
        ? {
            keys: value.CHAT_PUSH_KEY_FILE,
            browsers: value.CHAT_PUSH_CONTACT
              ? { contact: value.CHAT_PUSH_CONTACT, hosts: new Set(value.CHAT_PUSH_HOSTS) }
              : undefined,
            apps: value.CHAT_FCM,
          }
        : undefined,
    notify: {
      after: value.CHAT_NOTIFY_AFTER,
      zone: value.CHAT_TIME_ZONE,
      newMembers: value.CHAT_MAIL_NEW_MEMBERS,
    },
    createRooms: value.CHAT_CREATE_ROOMS,
    direct: value.CHAT_DIRECT,
    findPeople: value.CHAT_FIND_PEOPLE,
    lastSeen: value.CHAT_LAST_SEEN,
    seen: value.CHAT_SEEN,
    moderateData: value.CHAT_MODERATE_DATA,
    branding: brandingOf(value),
    profile: {
      ...(value.CHAT_USER_AVATAR === '' ? {} : { avatar: value.CHAT_USER_AVATAR }),
      ...(value.CHAT_USER_URL === '' ? {} : { url: value.CHAT_USER_URL }),
    },
    limits: {
      text: value.CHAT_LIMIT_TEXT,
      members: value.CHAT_LIMIT_MEMBERS,
      roomsOfUser: value.CHAT_LIMIT_ROOMS_USER,
      later: value.CHAT_LIMIT_LATER,
      send: value.CHAT_LIMIT_SEND,
    },
    retention: {
      rooms: value.CHAT_RETENTION,
      direct: value.CHAT_RETENTION_DIRECT,
      acts: value.CHAT_AUDIT,
    },
    hold: { mode: value.CHAT_HOLD, words: value.CHAT_HOLD_WORDS },
    limitInvite: value.CHAT_LIMIT_INVITE,
    limitReport: value.CHAT_LIMIT_REPORT,
    limitSearch: value.CHAT_LIMIT_SEARCH,
    limitChange: value.CHAT_LIMIT_CHANGE,
    limitCreate: value.CHAT_LIMIT_CREATE,
    limitMe: value.CHAT_LIMIT_ME,
    trustedProxies: value.CHAT_TRUSTED_PROXIES,
    limitSend: value.CHAT_LIMIT_SEND,
    limitRequests: value.CHAT_LIMIT_REQUESTS,
    limitConnectAddress: value.CHAT_LIMIT_CONNECT_ADDRESS,
    limitConnectionsAddress: value.CHAT_LIMIT_CONNECTIONS_ADDRESS,
    limitConnectionsUser: value.CHAT_LIMIT_CONNECTIONS_USER,
    limitGuests: value.CHAT_LIMIT_GUESTS,
    limitQueue: value.CHAT_LIMIT_QUEUE,
    logLevel: value.CHAT_LOG_LEVEL,
    tracesTo: value.OTEL_EXPORTER_OTLP_ENDPOINT,
  });
}

/** The site's sessions are not read, so all users come with tickets. */
export interface TicketsOnly {
  ticketsOnly: true;
}

const loginsOf = (texts: Texts): LoginSettings | TicketsOnly | { problems: string[] } =>
  texts.CHAT_SESSION_STORE === 'none' ? { ticketsOnly: true } : readOptions(sessionOptions(texts), settingOf);

/** Settings of sessions that also count for users with tickets. */
const settingsOfAllUsers: readonly string[] = [sessionSettings.admins, sessionSettings.moderators];

function ticketsOf(
  { CHAT_TICKET_KEY_FILE: keys, CHAT_TICKET_AUDIENCE: audience, CHAT_TICKET_TTL: maxAgeMs }: Parsed,
  texts: Texts,
): TicketSettings | undefined {
  if (keys.length === 0) return undefined;
  const [admins, moderators] = [list.parse(texts.CHAT_ADMINS ?? ''), list.parse(texts.CHAT_MODERATORS ?? '')];
  return { keys, audience, maxAgeMs, admins, moderators, team: teamIn(texts).siteRoles };
}

const brandingOf = ({ CHAT_NAME: name, CHAT_ACCENT: accent, CHAT_LOGO: logo }: Parsed): Branding => ({
  ...(name !== undefined && { name }),
  ...(accent !== undefined && { accent }),
  ...(logo !== undefined && { logo }),
});

const guestsOf = ({
  CHAT_GUESTS: may,
  CHAT_GUEST_ROOMS: rooms,
  CHAT_GUEST_LABEL: label,
}: Parsed): GuestSettings | undefined => (may === 'off' ? undefined : { may, rooms: new Set(rooms), label });

/** Splits CHAT_TEAM into IDs of users, roles of the chat and names of roles of the site. */
function teamIn({ CHAT_TEAM: text = '' }: Texts) {
  const entries = list.parse(text);
  const roles = entries.flatMap((entry) => (entry.startsWith('role:') ? entry.slice('role:'.length) : []));
  const isOfChat = (role: string) => role === 'admin' || role === 'moderator';
  return {
    users: entries.filter((entry) => !entry.startsWith('role:')),
    roles: roles.filter(isOfChat),
    siteRoles: roles.filter((role) => !isOfChat(role)),
  };
}

/** Returns the users and roles of the team, and what visitors can expect. */
function teamOf({ CHAT_TEAM: entries, CHAT_TEAM_TEXT: text }: Parsed, texts: Texts) {
  if (entries.length === 0) return undefined;
  const { users, roles, siteRoles } = teamIn(texts);
  const hasRoles = roles.length + siteRoles.length > 0;
  return { users: new Set(users), roles: new Set(roles), hasRoles, text };
}

/** Returns the problems of ticket settings that do not fit together. */
function ticketProblems(texts: Texts): string[] {
  const problems: string[] = [];
  if (texts.CHAT_TICKET_KEY_FILE && !texts.CHAT_TICKET_AUDIENCE)
    problems.push(
      'CHAT_TICKET_AUDIENCE: required for tickets; set it to the aud of your tickets, such as chat.example.org',
    );
  if (texts.CHAT_SESSION_STORE !== 'none') return problems;
  for (const name of Object.values(sessionSettings)) {
    if (texts[name] && name !== sessionSettings.store && !settingsOfAllUsers.includes(name))
      problems.push(
        `${name} and CHAT_SESSION_STORE: with the store "none", no sessions are read; unset one of them`,
      );
  }
  if (!texts.CHAT_TICKET_KEY_FILE)
    problems.push('CHAT_SESSION_STORE: with "none", all users need tickets; set CHAT_TICKET_KEY_FILE too');
  return problems;
}

/** Returns the texts of all settings, including those from `_FILE` settings. */
function textsIn(env: NodeJS.ProcessEnv): ReturnType<typeof readTexts> {
  const { texts: given, problems } = readTexts(settingNames, env);
  const texts: Record<string, string | undefined> = { ...given };
  for (const name of secretSettings) {
    const file = texts[`${name}_FILE`];
    if (!file) continue;
    if (texts[name]) problems.push(`${name} and ${name}_FILE: give one of them, not both`);
    // `secretFile` reports an unusable file, together with all other problems.
    else texts[name] = secretIn(file);
  }
  return { texts, problems };
}

/** Returns the problems of mail settings that do not fit together. */
function mailProblems(
  texts: Texts,
  { CHAT_MAIL: server, CHAT_MAIL_TEMPLATES: templates = '' }: Partial<Parsed>,
): string[] {
  if (texts.CHAT_MAIL_IN && !texts.CHAT_MAIL_REPLIES)
    return [
      'CHAT_MAIL_IN and CHAT_MAIL_REPLIES: the address for answers is missing; set CHAT_MAIL_REPLIES too',
    ];
  if (!texts.CHAT_MAIL)
    return texts.CHAT_MAIL_REPLIES
      ? [
          'CHAT_MAIL_REPLIES and CHAT_MAIL: only mails of this server can be answered; set CHAT_MAIL, or unset CHAT_MAIL_REPLIES',
        ]
      : [];
  const problems = (['CHAT_MAIL_FROM', 'CHAT_URL'] as const)
    .filter((name) => !texts[name])
    .map((name) => `${name}: required for mails; set it, or unset CHAT_MAIL`);
  if (!server) return problems;
  if (server.password !== undefined && texts.CHAT_MAIL_PASSWORD_FILE)
    problems.push('CHAT_MAIL and CHAT_MAIL_PASSWORD_FILE: give the password in one of them, not both');
  if ((server.user === undefined) !== (server.password === undefined && !texts.CHAT_MAIL_PASSWORD_FILE))
    problems.push('CHAT_MAIL: a login needs a user and a password; give both, or none');
  try {
    if (templates !== '') readTemplates(templates);
  } catch (error) {
    problems.push(`CHAT_MAIL_TEMPLATES: ${(error as Error).message}`);
  }
  return problems;
}

function mailOf({
  CHAT_MAIL: server,
  CHAT_MAIL_FROM: from,
  CHAT_MAIL_PASSWORD_FILE: [password],
  CHAT_MAIL_REPLIES: replies,
  CHAT_MAIL_IN: mailbox,
  CHAT_MAIL_TEXT: text,
  CHAT_MAIL_TEMPLATES: templates,
}: Parsed) {
  if (server === undefined || from === undefined) return undefined;
  return {
    server: { ...server, ...(password !== undefined && { password }) },
    from,
    /** Undefined if mails cannot be answered. */
    replies,
    /** The mailbox with the answers. Undefined if the mail server passes them on. */
    mailbox,
    text,
    ...(templates !== '' && { write: readTemplates(templates) }),
  };
}

/** Adds the key from the AWS environment variables, unless the address contains a key. */
function withCredentials(place: FilesPlace | undefined, env: NodeJS.ProcessEnv): FilesPlace | undefined {
  if (place?.kind !== 's3' || place.credentials !== undefined) return place;
  const { AWS_ACCESS_KEY_ID: key, AWS_SECRET_ACCESS_KEY: secret } = env;
  if (!key || !secret) return place;
  return { ...place, credentials: { key, secret } };
}

/**
 * Returns the name of this server for the log and the other servers. With port 0, the process ID distinguishes the
 * servers of this host.
 */
export function nodeName({ node, port }: Pick<Config, 'node' | 'port'>): string {
  return node ?? `${hostname()}:${port === 0 ? `any-${process.pid}` : port}`;
}

/** Returns the problems of a bus that does not fit the history. Invalid values are reported by `readEach`. */
function clusterProblems({ CHAT_CLUSTER: bus, CHAT_HISTORY: history }: Partial<Parsed>): string[] {
  if (!bus || !history) return [];
  if (history.kind === 'sqlite') {
    return [
      'CHAT_CLUSTER and CHAT_HISTORY: several servers cannot share a sqlite: history, which is a file; unset CHAT_CLUSTER, or store the history in PostgreSQL or MariaDB',
    ];
  }
  if (bus.kind === 'redis' || bus.kind === history.kind) return [];
  return [
    `CHAT_CLUSTER and CHAT_HISTORY: ${bus.kind} is not the database of the history; set CHAT_CLUSTER to ${history.kind}, or to a redis:// address`,
  ];
}

/** The default of CHAT_DRAIN for several servers, in milliseconds. */
const usualDrain = 8000;
/** How much longer than CHAT_DRAIN a drain may take, in milliseconds. */
const drainMargin = 2000;

/**
 * Returns the times for a shutdown. On SIGTERM, the connections are closed during `over` ms, and the process must end
 * after at most `within` ms.
 */
function drainTimes({ CHAT_DRAIN, CHAT_CLUSTER }: Parsed): { over: number; within: number } {
  // The users of a single server cannot move to another server, so it must restart quickly.
  const over = CHAT_DRAIN ?? (CHAT_CLUSTER === undefined ? 0 : usualDrain);
  return { over, within: (CHAT_DRAIN ?? usualDrain) + drainMargin };
}

/** A setting as the operator sees it. */
export interface ShownSetting {
  name: string;
  /** Without keys and passwords. Empty if the setting has no value. */
  value: string;
  from: 'environment' | 'file' | 'site' | 'default';
}

/** Lists all settings with their values and sources. Takes the arguments of `readConfig`, which must accept them. */
export function listSettings(
  env: NodeJS.ProcessEnv,
  lines: ReadonlyMap<string, string> = new Map(),
): ShownSetting[] {
  const { texts } = textsIn(env);
  const given = (name: string) => (lines.has(name) ? ('file' as const) : ('environment' as const));
  const options = optionTexts(sessionOptions(texts));
  return [
    ...options
      .filter(({ option }) => option !== 'teamRoles')
      .map(({ option, text, from }) => ({
        name: settingOf(option),
        value: text,
        from: from === 'given' ? given(settingOf(option)) : from,
      })),
    ...Object.entries(settings).map(([name, [fallback, , , secret]]) => ({
      name,
      value: shown(texts[name] || fallback, secret),
      from: texts[name] ? given(name) : ('default' as const),
    })),
  ];
}

function differingSettings(env: NodeJS.ProcessEnv): Record<string, string> {
  const defaults = new Map(listSettings({}).map(({ name, value }) => [name, value]));
  return Object.fromEntries(
    listSettings(env).flatMap(({ name, value }) =>
      value === '' || value === defaults.get(name) ? [] : [[name, value]],
    ),
  );
}

function sessionOptions(texts: Texts): Partial<Record<OptionName, string | undefined>> {
  return {
    ...Object.fromEntries(Object.entries(sessionSettings).map(([option, name]) => [option, texts[name]])),
    teamRoles: teamIn(texts).siteRoles.join(','),
  };
}
