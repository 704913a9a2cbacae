import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { StoredFormat } from './formats/formats.ts';
import type { Layer } from './layers/layers.ts';
import type { SessionStore } from './store.ts';

export interface StoreUrl {
  protocol: string;
  user: string;
  password: string;
  hosts: readonly { host: string; port?: number }[];
  /** Includes the slash after the hosts: `/3`, `/var/lib/php/sessions`. */
  path: string;
  options: UrlOptions;
}

/**
 * Reads the options of one kind of store. Only `open` connects. `format` is the default of `format=`. `lifetime` is PHP's
 * TTL of a session in seconds. It is absent if the store does not use it.
 * @throws TypeError that explains the error in the URL, without a password
 */
export type StoreKind = (url: StoreUrl) => { format: StoredFormat; lifetime?: number; open(): SessionStore };

/** A store URL: where the sessions of a site are, and how they are encoded. */
export interface SessionSource {
  protocol: string;
  /** The text after `?`. */
  options: string;
  format: StoredFormat;
  /** PHP's TTL of a session after each use, in milliseconds. Undefined if unknown or without expiry. */
  lifetime: number | undefined;
  /** The outermost first. */
  layers: readonly Layer[];
  open(): SessionStore;
  /** The same store with other options. Null removes an option. @throws TypeError as `parseStoreUrl` */
  with(changes: Readonly<Record<string, string | null>>): SessionSource;
}

const seconds = { s: 1, m: 60, h: 3600, d: 86_400 };

/** Options of the PHP handlers, which may use the same URL. See docs/php.md. */
const phpOptions = new Set(['persistent', 'retry_interval', 'lock', 'lease']);

/** Parses options. Keeps plus signs, because prefixes may contain them. */
export function readQuery(query: string): URLSearchParams {
  return new URLSearchParams(query.replaceAll('+', '%2B'));
}

/** The options of a store URL. Each is taken once, and `finish` rejects the remaining ones. */
export class UrlOptions {
  readonly #remaining: Map<string, string>;
  readonly #protocol: string;

  constructor(protocol: string, query: string) {
    this.#remaining = new Map(readQuery(query));
    this.#protocol = protocol;
  }

  take(name: string): string | undefined {
    const value = this.#remaining.get(name);
    this.#remaining.delete(name);
    return value;
  }

  /** Takes `prefix=`, which precedes the session ID in the store. @throws TypeError */
  prefix(fallback: string): string {
    const prefix = this.take('prefix') ?? fallback;
    if (!/^[\x21-\x7e]{0,200}$/.test(prefix))
      throw new TypeError('prefix= must be up to 200 printable characters');
    return prefix;
  }

  /**
   * Takes `timeout=`, the limit of one call in milliseconds. A number without a unit is PHP's option, and ignored.
   * @throws TypeError
   */
  timeout(): number {
    const given = this.take('timeout') ?? '';
    const timeout = /^(\d{2,4})ms$/.exec(/^\d*$/.test(given) ? '250ms' : given)?.[1];
    if (timeout === undefined) throw new TypeError('timeout= must be 10ms to 9999ms');
    return Number(timeout);
  }

  /** Takes a duration in seconds, or with a unit such as `30m`. Returns seconds. @throws TypeError */
  seconds(name: string, fallback: string): number {
    const [, count, unit = 's'] = /^(\d{1,9})([smhd]?)$/.exec(this.take(name) ?? fallback) ?? [];
    if (count === undefined)
      throw new TypeError(`${name}= must be a number of seconds, or a duration such as 30m`);
    return Number(count) * seconds[(unit || 's') as keyof typeof seconds];
  }

  /**
   * Takes `tls=on`, and `ca=FILE` with the certificate of a private authority. Undefined for `tls=off`, the default.
   * @throws TypeError
   */
  tls(): { ca?: string } | undefined {
    const tls = this.take('tls') ?? 'off';
    if (tls !== 'on' && tls !== 'off') throw new TypeError('tls= must be on or off');
    if (tls === 'off' && this.take('ca') !== undefined) throw new TypeError('ca= requires tls=on');
    const ca = this.certificates('ca');
    return tls === 'off' ? undefined : ca === undefined ? {} : { ca };
  }

  /**
   * Takes an option that names a PEM file, and returns the file's content. Undefined without the option.
   * @throws TypeError if the file has no certificate
   */
  certificates(name: string): string | undefined {
    const file = this.take(name);
    if (file === undefined) return undefined;
    try {
      const pem = readFileSync(file, 'utf8');
      new X509Certificate(pem);
      return pem;
    } catch (cause) {
      throw new TypeError(`${name}=${file} is not a file with a certificate`, { cause });
    }
  }

  /** Requires that all options were taken, except those of the PHP handlers. @throws TypeError for another option */
  finish(): void {
    const unknown = [...this.#remaining].find(([name]) => !phpOptions.has(name));
    if (unknown !== undefined) {
      const [name, value] = unknown;
      // A name without a value may be the end of a password that contains a `?`.
      if (value === '' || !/^[a-z_]{1,32}$/.test(name))
        throw new TypeError('the store URL is malformed after its first ? (in a password it is %3F)');
      throw new TypeError(
        `${name}= is not an option of ${this.#protocol}:, or cannot be combined with the other options`,
      );
    }
  }
}
