import { type Encoding, plain } from './command-line.ts';
import { escapeStrings } from './escape-strings.ts';
import { LineFeedGuard } from './line-feed-guard.ts';
import type { OpenSession } from './open-session.ts';
import type { Sessions } from './sessions.ts';
import type { Watches } from './watches.ts';
import { Watching } from './watching.ts';

/** What every connection works with. */
export interface Daemon {
  sessions: Sessions;
  watches: Watches;
  /** Whether this is the token of this daemon. Null when it asks for none. */
  isToken: ((token: string) => boolean) | null;
  /** Milliseconds that an open waits for the lock, unless the connection says otherwise. */
  lockTimeout: number;
}

/** What the end of a line loses, as by PHP's trim(). */
const trimmed = new Set(Buffer.from(' \t\r\0\v'));
const lineFeed = /\n/;
const lineFeedOrHigh = /[\n\x80-\xff]/;

/** One connection as the commands know it: the session that it has open, and what it has asked for. */
export class Client {
  readonly daemon: Daemon;
  readonly watching: Watching;
  /** Aborted when the connection has gone. */
  readonly gone: AbortSignal;
  session: OpenSession | null = null;
  authorized: boolean;
  lockTimeout: number;
  encoding: Encoding = plain;
  /** Whether it is PHP's own way: see `LineFeedGuard`. */
  php: boolean;
  /** Nothing more is taken after the reply. */
  quit = false;
  failedTokens = 0;

  constructor(daemon: Daemon, php: boolean, gone: AbortSignal, push: (event: string) => void) {
    this.daemon = daemon;
    this.php = php;
    this.gone = gone;
    this.authorized = daemon.isToken === null;
    this.lockTimeout = daemon.lockTimeout;
    this.watching = new Watching(daemon.watches, push);
  }

  /** Whether a line feed in a serialized string is part of the line. */
  get guarded(): boolean {
    return this.php && this.encoding === plain;
  }

  /**
   * Whether this is what PHP puts, cut off by a line feed in one of its strings; or, where PHP is helped, anything in
   * its place that is nothing PHP writes. What follows is what a visitor wrote into a form, and not to be taken for
   * commands.
   * @returns the last reply on this connection; null when it is not
   */
  cutOff(line: Buffer): string | null {
    if (this.encoding !== plain) return null;
    let end = line.length;
    while (end > 0 && trimmed.has(line[end - 1] as number)) end--;
    const guard = new LineFeedGuard();
    const inside = guard.isInside(line.subarray(0, end));
    if (guard.puts === null || !(inside || (this.php && !guard.isComplete))) return null;
    return guard.puts === 'session' ? 'err Could not store value' : 'err Could not store session data.';
  }

  /** A value in a reply. @throws Undecodable when the encoding cannot carry it */
  encode(value: string): string {
    return this.encoding.encode(value);
  }

  /** What a session handler of PHP stored, which PHP's own client reads as it comes. */
  encodeSessionData(value: string): string {
    const text = this.guarded ? escapeStrings(value, 'session', lineFeedOrHigh) : null;
    return this.encode(text ?? value);
  }

  /** What serialize() wrote. */
  encodeSerialized(value: string): string {
    if (this.encoding !== plain) return this.encode(value);
    // Only so can a line feed be sent at all; the other bytes are left as they always were, unless asked.
    return this.encode(escapeStrings(value, 'value', this.php ? lineFeedOrHigh : lineFeed) ?? value);
  }

  /** Drops what was not saved and frees the lock. */
  endSession(): void {
    const { session } = this;
    this.session = null;
    session?.lock?.release();
  }
}
