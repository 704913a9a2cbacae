import { type Encoding, plain } from './command-line.ts';
import { escapeStrings, truncatedReply } from './php-help.ts';
import type { OpenSession, Sessions } from './sessions.ts';
import { ClientSubscriptions, type Subscriptions } from './subscriptions.ts';

/** Shared by all connections. */
export interface Services {
  sessions: Sessions;
  subscriptions: Subscriptions;
  /** Compares a client's token. Null if the server has no token. */
  isToken: ((token: string) => boolean) | null;
  /** The default limit of `open` for the wait for a lock. */
  lockTimeoutMs: number;
}

const lineFeed = /\n/;
const lineFeedOrHigh = /[\n\x80-\xff]/;

/** The state of a connection that commands use. */
export class Client {
  readonly services: Services;
  readonly subscriptions: ClientSubscriptions;
  /** Aborted at the end of the connection. */
  readonly disconnected: AbortSignal;
  session: OpenSession | null = null;
  isAuthorized: boolean;
  lockTimeoutMs: number;
  encoding: Encoding = plain;
  /** Whether to work around the limits of PEAR's client for PHP, see `LineFeedGuard`. */
  helpPhp: boolean;
  /** The connection must be closed after the reply. */
  mustClose = false;
  failedTokens = 0;

  constructor(
    services: Services,
    helpPhp: boolean,
    disconnected: AbortSignal,
    push: (event: string) => void,
  ) {
    this.services = services;
    this.helpPhp = helpPhp;
    this.disconnected = disconnected;
    this.isAuthorized = services.isToken === null;
    this.lockTimeoutMs = services.lockTimeoutMs;
    this.subscriptions = new ClientSubscriptions(services.subscriptions, push);
  }

  /** Whether a line feed in a serialized string belongs to the line. */
  get guardsLineFeeds(): boolean {
    return this.helpPhp && this.encoding === plain;
  }

  /**
   * Detects a truncated value, see `truncatedReply`.
   * @returns the last reply on this connection, or null if the line may be run
   */
  truncatedReply(line: Buffer): string | null {
    return this.encoding === plain ? truncatedReply(line, this.helpPhp) : null;
  }

  /** Encodes a value for a reply. @throws EncodingError */
  encode(value: string): string {
    return this.encoding.encode(value);
  }

  /** Encodes data of PHP's session handler. PEAR's client does not decode UTF-8, so bytes above 7F are escaped for it. */
  encodeSessionData(value: string): string {
    const text = this.guardsLineFeeds ? escapeStrings(value, 'session', lineFeedOrHigh) : null;
    return this.encode(text ?? value);
  }

  /** Encodes the output of serialize(). */
  encodeSerialized(value: string): string {
    if (this.encoding !== plain) return this.encode(value);
    // The plain encoding cannot send line feeds. For PEAR's client, bytes above 7F are also escaped.
    return this.encode(escapeStrings(value, 'value', this.helpPhp ? lineFeedOrHigh : lineFeed) ?? value);
  }

  /** Discards unsaved changes and releases the lock. */
  endSession(): void {
    const { session } = this;
    this.session = null;
    session?.lock?.release();
  }
}
