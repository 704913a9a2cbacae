import { createHash } from 'node:crypto';
import { accessSync, constants, readFileSync, statSync } from 'node:fs';
import { isIP } from 'node:net';
import { userInfo } from 'node:os';
import { z } from 'zod';
import type { Logo } from '../wire/branding.ts';
import { roomName } from '../wire/events.ts';
import { isOrigin } from '../wire/origins.ts';

const milliseconds = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

function inMilliseconds(value: string): number {
  const unit = /[a-z]+$/.exec(value)?.[0] as keyof typeof milliseconds;
  return Number.parseInt(value, 10) * milliseconds[unit];
}

/** Accepts an empty value, as undefined. */
export const optional = <Value>(form: z.ZodType<Value, string>) =>
  z
    .literal('')
    .transform(() => undefined)
    .or(form);

/** Parses a value by `read`, which returns undefined for an invalid value. */
export const readBy = <Value>(read: (value: string) => Value | undefined) =>
  z.string().transform((value, context) => {
    const found = read(value);
    if (found !== undefined) return found;
    context.addIssue('it cannot be read');
    return z.NEVER;
  });

const minDuration = '10ms';
const maxDuration = '24h';

/** `250ms`, `1s`, `5m`: a duration from `minDuration` to `maxDuration`, in milliseconds. */
export const duration = z
  .string()
  .regex(/^\d{1,9}(ms|s|m|h)$/)
  .transform(inMilliseconds)
  .pipe(z.int().min(inMilliseconds(minDuration)).max(inMilliseconds(maxDuration)));

/** Describes a `duration` in messages. */
export const durationForm = (example: string, max = maxDuration): string =>
  `a duration such as ${example}, ${minDuration} to ${max}`;

/** A `duration`, or `0s`. */
export const durationOrNone = z.union([
  z
    .string()
    .regex(/^0(ms|s|m|h)$/)
    .transform(() => 0),
  duration,
]);

/** `none`, which is 0, or a time such as `90d`, in milliseconds. */
export const retention = z.union([
  z.literal('none').transform(() => 0),
  z
    .string()
    .regex(/^[1-9]\d{0,5}(s|m|h|d)$/)
    .transform(inMilliseconds),
]);

/** `24h`, `7d`: a time in milliseconds. Unlike a `duration`, it may exceed `maxDuration`. */
export const time = z
  .string()
  .regex(/^[1-9]\d{0,5}(ms|s|m|h|d)$/)
  .transform(inMilliseconds);

/** `20/10s`: a count per duration; `0` for no limit. */
export const rate = z.union([
  z.literal('0').transform(() => ({ count: 0, ms: 0 })),
  z
    .string()
    .regex(/^[1-9]\d{0,6}\/[^/]+$/)
    .refine((value) => duration.safeParse(value.split('/')[1]).success)
    .transform((value) => {
      const [count, time = ''] = value.split('/');
      return { count: Number(count), ms: duration.parse(time) };
    }),
]);

export const count = z
  .string()
  .regex(/^\d{1,7}$/)
  .transform(Number);

const bytes = { KB: 1024, MB: 1024 * 1024 };

/** `512KB`, `1MB`; `0` for no limit. */
export const size = z
  .string()
  .regex(/^(0|\d{1,5}(KB|MB))$/)
  .transform((value) => Number.parseInt(value, 10) * (bytes[value.slice(-2) as keyof typeof bytes] ?? 0));

/** `500MB/24h`: bytes per duration; `0` for no limit. */
export const sizeRate = z.union([
  z.literal('0').transform(() => ({ count: 0, ms: 0 })),
  z
    .string()
    .regex(/^[1-9]\d{0,4}(KB|MB)\/[^/]+$/)
    .refine((value) => duration.safeParse(value.split('/')[1]).success)
    .transform((value) => {
      const [bytes = '', ms = ''] = value.split('/');
      return { count: size.parse(bytes), ms: duration.parse(ms) };
    }),
]);

/** `application/pdf`, `image/*`: a media type, or all types of a group. */
export const mediaType = z.string().regex(/^[a-z]+\/(\*|[a-z0-9][a-z0-9.+-]{0,100})$/);

/** An IP address, or a CIDR range. */
export const network = z.string().refine((value) => {
  const [address = '', bits, ...rest] = value.split('/');
  const family = isIP(address);
  return (
    family !== 0 &&
    rest.length === 0 &&
    (bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (family === 4 ? 32 : 128)))
  );
});

export const origin = z.string().refine(isOrigin);

export const list = z.string().transform((value) =>
  value
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== ''),
);

/** A host as URLs contain it: `wiki.example`, `wiki.example:8080`. */
export const webHost = z.string().refine((value) => {
  if (value.includes('*')) return false;
  const address = `http://${value}/`;
  return URL.canParse(address) && new URL(address).href === address;
});

export const webAddress = z
  .string()
  .refine(
    (value) => value.startsWith('/') || /^https?:$/.test(URL.canParse(value) ? new URL(value).protocol : ''),
  );

/** `general:Général`: an ID and a name. If there is only a name, in any script, the ID is derived from it. */
export const roomSetting = z
  .string()
  .transform((value) => {
    const [, id, name = value] = /^([A-Za-z0-9_-]{1,64}):(.*)$/s.exec(value) ?? [];
    return { id, name };
  })
  .refine(({ id, name }) => !/^[udr]-/.test(id ?? name) && roomName.safeParse(name).success);

/** An address that contains `{id}`: a path on the site of the page, or an `https:` URL. */
export const template = z.string().refine((value) => {
  if (!value.includes('{id}') || /[\s\p{Cc}]/u.test(value)) return false;
  const address = value.replaceAll('{id}', '1');
  return /^\/(?![/\\])/.test(address) || (URL.canParse(address) && new URL(address).protocol === 'https:');
});

/** `#a3420b` or `#abc`: a colour, as `#rrggbb`. */
export const colour = z
  .string()
  .regex(/^#([0-9a-f]{3}|[0-9a-f]{6})$/i)
  .transform((value) => (value.length === 4 ? value.replace(/[^#]/g, '$&$&') : value).toLowerCase());

/** The maximum size of a logo in bytes. Each mail contains it. */
const maxLogoBytes = 64 * 1024;
const logoSides = { min: 32, max: 512 };

/** Reads a PNG or JPEG file. SVG may contain scripts, and mail programs show neither SVG nor WebP reliably. */
export const logoFile = readBy((path): Logo | undefined => {
  try {
    const file = statSync(path);
    // A device such as /dev/zero has no end.
    return file.isFile() && file.size <= maxLogoBytes ? readLogo(readFileSync(path)) : undefined;
  } catch {
    return undefined;
  }
});

export const logoForm = `the path of a PNG or JPEG file (not SVG) of at most ${maxLogoBytes / 1024} KB, ${logoSides.min} to ${logoSides.max} pixels wide and high`;

/** Returns undefined for bytes that cannot be a logo. */
export function readLogo(bytes: Buffer): Logo | undefined {
  const size = bytes.length > maxLogoBytes ? undefined : (pngSize(bytes) ?? jpegSize(bytes));
  const isSide = (side: number) => side >= logoSides.min && side <= logoSides.max;
  if (size === undefined || !isSide(size.width) || !isSide(size.height)) return undefined;
  const hash = createHash('sha256').update(bytes).digest('base64url').slice(0, 22);
  return { path: `assets/logo-${hash}.${size.type === 'image/png' ? 'png' : 'jpg'}`, ...size, bytes };
}

type LogoSize = Pick<Logo, 'type' | 'width' | 'height'>;

function pngSize(bytes: Buffer): LogoSize | undefined {
  const isPng = bytes.subarray(0, 8).equals(Buffer.from('89504e470d0a1a0a', 'hex'));
  if (!isPng || bytes.length < 24 || bytes.toString('latin1', 12, 16) !== 'IHDR') return undefined;
  return { type: 'image/png', width: bytes.readUInt32BE(16), height: bytes.readUInt32BE(20) };
}

/** Reads the size from the frame header (ITU-T T.81, B.2.2), which follows other segments. */
function jpegSize(bytes: Buffer): LogoSize | undefined {
  if (bytes.length < 4 || bytes.readUInt16BE(0) !== 0xffd8) return undefined;
  for (let at = 2; at + 9 <= bytes.length && bytes[at] === 0xff; at += 2 + bytes.readUInt16BE(at + 2)) {
    const marker = bytes[at + 1] as number;
    // Only the markers C0 to CF are frame headers, except for C4, C8 and CC.
    if (marker < 0xc0 || marker > 0xcf || [0xc4, 0xc8, 0xcc].includes(marker)) continue;
    return { type: 'image/jpeg', height: bytes.readUInt16BE(at + 5), width: bytes.readUInt16BE(at + 7) };
  }
  return undefined;
}

export const apiKey = z.string().regex(/^[\x21-\x7e]{16,}$/);

/** A key of Standard Webhooks, as bytes: `whsec_` and 24 to 64 random bytes in base64. */
export const webhookKey = z
  .string()
  .regex(/^whsec_[A-Za-z0-9+/]+={0,2}$/)
  .transform((key) => Buffer.from(key.slice('whsec_'.length), 'base64'))
  .refine(({ length }) => length >= 24 && length <= 64);

/** An encryption key, as bytes: 32 random bytes in base64. */
export const sealingKey = z
  .string()
  .regex(/^[A-Za-z0-9+/]{43}=$/)
  .transform((key) => Buffer.from(key, 'base64'));

/** A key of at least 32 bytes, in base64. */
export const ticketKey = z
  .base64()
  .transform((key) => Buffer.from(key, 'base64'))
  .refine(({ length }) => length >= 32);

/**
 * The top-level domains of private networks and examples (RFC 2606, RFC 6761, RFC 6762), and usual names of private
 * networks.
 */
const privateDomain =
  /(?:^|\.)(?:localhost|local|internal|intranet|lan|home|corp|home\.arpa|test|example|invalid|onion|alt)$/;

function isPublicHost(host: string): boolean {
  // Also recognises other forms of IP addresses, such as 0x7f.1.
  const name = URL.parse(`https://${host}`)?.hostname.replace(/\.$/, '') ?? '';
  return name.includes('.') && isIP(name) === 0 && !name.startsWith('[') && !privateDomain.test(name);
}

/** The contact of the operator for push services. Apple rejects all pushes with a contact that is not public. */
export const contact = z.string().refine((value) => {
  const [, mailHost] = /^mailto:[^\s@]+@([^\s@/?#:,]+)$/.exec(value) ?? [];
  const url = URL.parse(value);
  return mailHost === undefined
    ? url?.protocol === 'https:' && isPublicHost(url.hostname)
    : isPublicHost(mailHost);
});

/** Reads keys from a file, one per line. An empty path gives no keys. */
export const keyFile = <Key>(form: z.ZodType<Key>) =>
  z.string().transform((file, context): Key[] => {
    if (file === '') return [];
    try {
      const lines = readFileSync(file, 'utf8').split('\n');
      return z
        .array(form)
        .min(1)
        .parse(lines.flatMap((key) => key.trim() || []));
    } catch {
      context.addIssue('no key can be read from it');
      return z.NEVER;
    }
  });

/** An `http:` or `https:` URL to which this server sends requests. */
export const endpoint = z
  .string()
  .refine((value) => URL.canParse(value) && /^https?:$/.test(new URL(value).protocol))
  .transform((value) => new URL(value));

/** A base URL without credentials, query and fragment. Trailing slashes are removed, so that paths can be appended. */
export const linkAddress = z
  .string()
  .refine((value) => {
    if (!URL.canParse(value)) return false;
    const { protocol, username, password, search, hash } = new URL(value);
    return /^https?:$/.test(protocol) && username + password + search + hash === '';
  })
  .transform((value) => new URL(value).href.replace(/\/+$/, ''));

/** The URL of a page, without credentials and fragment. Links add a fragment. */
export const pageAddress = z
  .string()
  .refine((value) => {
    if (!URL.canParse(value)) return false;
    const { protocol, username, password, hash } = new URL(value);
    return /^https?:$/.test(protocol) && username + password + hash === '';
  })
  .transform((value) => new URL(value).href);

/** The secret in a setting: a key, the path of a file with one, or an address with a password. A `file` has none. */
type Secret = 'key' | 'key file' | 'address' | 'file';
/** The definition of a setting. `accepted` describes the valid values in messages. */
type Setting = readonly [fallback: string, form: z.ZodType, accepted: string, secret?: Secret];

/** The texts of settings, by name. */
export type Texts = Readonly<Record<string, string | undefined>>;

/** Reads a file with a single line. Returns undefined if it cannot be read, is empty or has control characters. */
export function secretIn(path: string): string | undefined {
  try {
    const text = readFileSync(path, 'utf8').trim();
    return text === '' || /\p{Cc}/u.test(text) ? undefined : text;
  } catch {
    return undefined;
  }
}

/** The path of a file that `secretIn` can read, or empty. */
export const secretFile = z.string().refine((path) => path === '' || secretIn(path) !== undefined);

/**
 * Reads the named settings from the environment and trims blanks. Programs that load a settings file may leave syntax
 * in a value. Docker's `--env-file` keeps quotes, and a file from Windows has carriage returns. Such a value could be a
 * valid session path or key, and then no user could log in.
 */
export function readTexts(
  names: readonly string[],
  env: NodeJS.ProcessEnv,
): { texts: Texts; problems: string[] } {
  const texts = Object.fromEntries(names.map((name) => [name, env[name]?.trim()]));
  const problems = Object.entries(texts).flatMap(([name, text = '']) => {
    if (/^(['"]).*\1$/s.test(text))
      return `${name}: remove the quotes around it; here they are part of the value`;
    // Node replaces bytes of the environment that are not UTF-8.
    if (text.includes('\ufffd')) return `${name}: the value is not UTF-8 text`;
    return /\p{Cc}/u.test(text)
      ? `${name}: the value contains a control character, such as a line break`
      : [];
  });
  return { texts, problems };
}

/** Parses all settings of a table, and returns their problems. */
export function readEach(
  settings: Readonly<Record<string, Setting>>,
  texts: Texts,
): { parsed: Record<string, unknown>; problems: string[] } {
  const problems: string[] = [];
  const parsed: Record<string, unknown> = {};
  for (const [name, [fallback, form, accepted, secret]] of Object.entries(settings)) {
    const given = texts[name] || fallback;
    const result = form.safeParse(given);
    if (result.success) parsed[name] = result.data;
    else {
      const repeated = repeatable(given, secret);
      const isFile = secret === 'key file' || secret === 'file';
      const code = isFile && repeated !== '' ? readFailure(given) : undefined;
      if (code !== undefined) {
        const failure = `${JSON.stringify(repeated)} cannot be read (${code}) by the account ${accountName()}`;
        problems.push(`${name}: ${failure}; it must be ${accepted}`);
      } else
        problems.push(`${name}: ${repeated === '' ? '' : `${JSON.stringify(repeated)} is `}not ${accepted}`);
    }
  }
  return { parsed, problems };
}

/** Returns the error code, such as EACCES, if a file cannot be read. */
function readFailure(path: string): string | undefined {
  try {
    accessSync(path, constants.R_OK);
    return statSync(path).isDirectory() ? 'EISDIR' : undefined;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code;
  }
}

/** Returns the name of this process's account, or its ID if it has no name, as in some containers. */
function accountName(): string {
  try {
    return userInfo().username;
  } catch {
    return String(process.geteuid?.());
  }
}

/** Returns the part of an invalid value that a message may contain. In all settings, keys and passwords are omitted. */
function repeatable(given: string, secret: Secret | undefined): string {
  // Any part of an unparsable address may be the password.
  if (secret === 'key' || secret === 'address') return '';
  // The value may be the key instead of the path of its file.
  if (secret === 'key file') return /^\.{0,2}\/[^=]*$/.test(given) ? given : '';
  const scheme = /^[a-z][a-z0-9+.-]*:(?=\/)/i.exec(given)?.[0] ?? '';
  const isAddress = scheme !== '' && !/^(https?|sqlite|file|memory):$/i.test(scheme);
  // USER:PASSWORD@HOST or password=… may follow the scheme, so at most the scheme is shown.
  if (!isAddress && !/[@=]/.test(given)) return given;
  return scheme === '' ? '' : `${scheme}…`;
}

/** Returns a valid value without keys and passwords. */
export function shown(value: string, secret: Secret | undefined): string {
  if (secret === 'key' && value !== '') return '(not shown)';
  const shown = value.replace(/(:\/\/)[^/?#]*@/g, '$1…@');
  // The query or fragment of a web address may contain a token.
  return secret === 'address' ? shown.replace(/^(https?:[^?#]*[?#]).+/i, '$1…') : shown;
}
