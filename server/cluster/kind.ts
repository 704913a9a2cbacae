import type { Link } from './reconnecting.ts';

/** A kind of bus. */
export interface BusKind {
  /** See `Bus`. */
  takesChanges: boolean;
  /** Connects and listens. @throws BusError */
  connect(
    channel: string,
    sink: { text(text: string): void; failed(error: BusError): void },
  ): Promise<BusLink>;
}

export interface BusLink extends Link {
  /** Sends a text. May drop a hint if a later hint follows. */
  send(text: string, is: 'hint' | 'said'): Promise<unknown>;
}

/** A failure of the bus. It omits the bus's own message, which may contain the password. */
export class BusError extends Error {}
