import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';

const seconds = { s: 1, m: 60, h: 3600, d: 86_400 };

/** What only PHP's side needs, where one URL serves both: docs/php.md. */
const forPhp = new Set(['persistent', 'retry_interval', 'lock', 'lease']);

/** As PHP's save_path is read: a plus sign is one, since prefixes may hold it. */
export function readQuery(query: string): URLSearchParams {
  return new URLSearchParams(query.replaceAll('+', '%2B'));
}

/** The options behind the `?` of a store URL. Each is taken once; what is left over is a mistake. */
export class UrlOptions {
  readonly #left: Map<string, string>;
  readonly #protocol: string;
  readonly #cut: boolean;

  constructor(protocol: string, query: string) {
    this.#left = new Map(readQuery(query));
    // A password with a ? in it ends up here.
    this.#cut = query.includes('@');
    this.#protocol = protocol;
  }

  take(name: string): string | undefined {
    const value = this.#left.get(name);
    this.#left.delete(name);
    return value;
  }

  /** Put before the session id. */
  prefix(fallback: string): string {
    const prefix = this.take('prefix') ?? fallback;
    if (!/^[\x21-\x7e]{0,200}$/.test(prefix))
      throw new TypeError('prefix= is up to 200 printable characters');
    return prefix;
  }

  /** `timeout=` of one call, in milliseconds. A number alone is PHP's own, in seconds, which is not for a server. */
  timeout(): number {
    const given = this.take('timeout') ?? '';
    const timeout = /^(\d{2,4})ms$/.exec(/^\d*$/.test(given) ? '250ms' : given)?.[1];
    if (timeout === undefined) throw new TypeError('timeout= is 10ms to 9999ms');
    return Number(timeout);
  }

  /** A number of seconds, or with a unit such as `30m`. */
  seconds(name: string, fallback: string): number {
    const [, count, unit = 's'] = /^(\d{1,9})([smhd]?)$/.exec(this.take(name) ?? fallback) ?? [];
    if (count === undefined) throw new TypeError(`${name}= is a number of seconds, or a time such as 30m`);
    return Number(count) * seconds[(unit || 's') as keyof typeof seconds];
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
      throw new TypeError(`${name}=${file} is no file with a certificate`, { cause });
    }
  }

  finish(): void {
    const unknown = [...this.#left.keys()].find((name) => !forPhp.has(name));
    if (unknown !== undefined) {
      if (this.#cut || !/^[a-z_]{1,32}$/.test(unknown))
        throw new TypeError('the store URL is malformed behind its first ? (in a password it is %3F)');
      throw new TypeError(`${unknown}= is not an option of ${this.#protocol}:, or not beside the others`);
    }
  }
}
