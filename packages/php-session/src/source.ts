import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { StoredFormat } from './formats/formats.ts';
import type { Layer } from './layers/layers.ts';
import type { SessionStore } from './store.ts';

/** The parts of a store URL. A host has no port if the URL names none. */
export interface StoreUrl {
  protocol: string;
  user: string;
  password: string;
  hosts: readonly { host: string; port?: number }[];
  /** With its first slash if there are hosts: `/3`, `/var/lib/php/sessions`. */
  path: string;
  options: UrlOptions;
}

/**
 * Reads the part of a store URL that one kind of store defines, and connects to nothing before `open`.
 * `format` is the default of `format=`. `lifetime` is the TTL that PHP gives a session, in seconds; it is absent if
 * the store does not compute with it.
 * @throws TypeError that says what is wrong with the URL, without a password
 */
export type StoreKind = (url: StoreUrl) => { format: StoredFormat; lifetime?: number; open(): SessionStore };

/** Where the sessions of a site are, and how they are encoded there. */
export interface SessionSource {
  protocol: string;
  /** The text behind the `?`. */
  options: string;
  format: StoredFormat;
  /** The TTL that PHP gives a session at each use, in milliseconds; undefined if the URL does not say it. */
  lifetime: number | undefined;
  /** The outermost first. */
  layers: readonly Layer[];
  open(): SessionStore;
  /**
   * The same place with other options; null removes one.
   * @throws TypeError as `parseStoreUrl` does
   */
  with(changes: Readonly<Record<string, string | null>>): SessionSource;
}

const seconds = { s: 1, m: 60, h: 3600, d: 86_400 };

/** Options for PHP alone, which a URL that serves both sides may have: docs/php.md. */
const forPhp = new Set(['persistent', 'retry_interval', 'lock', 'lease']);

/** A plus sign stands for itself, as in PHP's save_path, since prefixes may contain it. */
export function readQuery(query: string): URLSearchParams {
  return new URLSearchParams(query.replaceAll('+', '%2B'));
}

/** The options behind the `?` of a store URL. Each is taken once; an option that nobody takes is an error. */
export class UrlOptions {
  readonly #left: Map<string, string>;
  readonly #protocol: string;

  constructor(protocol: string, query: string) {
    this.#left = new Map(readQuery(query));
    this.#protocol = protocol;
  }

  take(name: string): string | undefined {
    const value = this.#left.get(name);
    this.#left.delete(name);
    return value;
  }

  /** `prefix=`, which the store puts before the session id. */
  prefix(fallback: string): string {
    const prefix = this.take('prefix') ?? fallback;
    if (!/^[\x21-\x7e]{0,200}$/.test(prefix))
      throw new TypeError('prefix= is up to 200 printable characters');
    return prefix;
  }

  /** `timeout=` of one call, in milliseconds. A number without a unit is PHP's own option and is ignored. */
  timeout(): number {
    const given = this.take('timeout') ?? '';
    const timeout = /^(\d{2,4})ms$/.exec(/^\d*$/.test(given) ? '250ms' : given)?.[1];
    if (timeout === undefined) throw new TypeError('timeout= is 10ms to 9999ms');
    return Number(timeout);
  }

  /** A number of seconds, or a number with a unit such as `30m`. */
  seconds(name: string, fallback: string): number {
    const [, count, unit = 's'] = /^(\d{1,9})([smhd]?)$/.exec(this.take(name) ?? fallback) ?? [];
    if (count === undefined) throw new TypeError(`${name}= is a number of seconds, or a time such as 30m`);
    return Number(count) * seconds[(unit || 's') as keyof typeof seconds];
  }

  /** `tls=on`, and `ca=FILE` with the certificate of the site's own authority; undefined for `tls=off`, the default. */
  tls(): { ca?: string } | undefined {
    const tls = this.take('tls') ?? 'off';
    if (tls !== 'on' && tls !== 'off') throw new TypeError('tls= is on or off');
    if (tls === 'off' && this.take('ca') !== undefined) throw new TypeError('ca= is for tls=on');
    const ca = this.certificates('ca');
    return tls === 'off' ? undefined : ca === undefined ? {} : { ca };
  }

  /** The content of a PEM file. */
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

  /** @throws TypeError that names an option that nobody has taken */
  finish(): void {
    const unknown = [...this.#left].find(([name]) => !forPhp.has(name));
    if (unknown !== undefined) {
      const [name, value] = unknown;
      // A name alone may be the end of a password with a ? in it.
      if (value === '' || !/^[a-z_]{1,32}$/.test(name))
        throw new TypeError('the store URL is malformed behind its first ? (in a password it is %3F)');
      throw new TypeError(`${name}= is not an option of ${this.#protocol}:, or not beside the others`);
    }
  }
}
