import { type Encoding, plain } from './command-line.ts';
import { cutOffReply, escapeStrings } from './php-help.ts';
import type { OpenSession, Sessions } from './sessions.ts';
import { ClientSubscriptions, type Subscriptions } from './subscriptions.ts';

/** The parts that all connections share. */
export interface Services {
  sessions: Sessions;
  subscriptions: Subscriptions;
  /** Whether a token is the right one; null if the server has no token. */
  isToken: ((token: string) => boolean) | null;
  /** Milliseconds that an `open` waits for the lock, unless the connection sets another time. */
  lockTimeout: number;
}

const lineFeed = /\n/;
const lineFeedOrHigh = /[\n\x80-\xff]/;

/** A connection as the commands see it: its open session, its subscriptions and its settings. */
export class Client {
  readonly services: Services;
  readonly subscriptions: ClientSubscriptions;
  /** Aborted when the connection is gone. */
  readonly gone: AbortSignal;
  session: OpenSession | null = null;
  authorized: boolean;
  lockTimeout: number;
  encoding: Encoding = plain;
  /** Whether PEAR's client for PHP is helped, see `LineFeedGuard`. */
  php: boolean;
  /** The connection is to be closed after the reply. */
  quit = false;
  failedTokens = 0;

  constructor(services: Services, php: boolean, gone: AbortSignal, push: (event: string) => void) {
    this.services = services;
    this.php = php;
    this.gone = gone;
    this.authorized = services.isToken === null;
    this.lockTimeout = services.lockTimeout;
    this.subscriptions = new ClientSubscriptions(services.subscriptions, push);
  }

  /** Whether a line feed in a serialized string is part of the line. */
  get guarded(): boolean {
    return this.php && this.encoding === plain;
  }

  /** @returns the last reply on this connection if the line is a value that was cut off, see `cutOffReply` */
  cutOff(line: Buffer): string | null {
    return this.encoding === plain ? cutOffReply(line, this.php) : null;
  }

  /** A value in a reply. @throws Undecodable if the encoding cannot carry it */
  encode(value: string): string {
    return this.encoding.encode(value);
  }

  /** Encodes data of PHP's session handler. PEAR's client does not decode it. */
  encodeSessionData(value: string): string {
    const text = this.guarded ? escapeStrings(value, 'session', lineFeedOrHigh) : null;
    return this.encode(text ?? value);
  }

  /** Encodes a text of serialize(). */
  encodeSerialized(value: string): string {
    if (this.encoding !== plain) return this.encode(value);
    // A line feed cannot be sent otherwise. Other bytes stay as they are in the old protocol, unless PHP is helped.
    return this.encode(escapeStrings(value, 'value', this.php ? lineFeedOrHigh : lineFeed) ?? value);
  }

  /** Drops unsaved changes and frees the lock. */
  endSession(): void {
    const { session } = this;
    this.session = null;
    session?.lock?.release();
  }
}
