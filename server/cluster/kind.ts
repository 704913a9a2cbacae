import type { Link } from './reconnecting.ts';

/** A kind of bus. */
export interface BusKind {
  /** As in `Bus`. */
  takesChanges: boolean;
  /** Connects and listens. @throws BusError */
  connect(
    channel: string,
    sink: { text(text: string): void; failed(error: BusError): void },
  ): Promise<BusLink>;
}

export interface BusLink extends Link {
  /** A hint may be dropped in favour of a later one. */
  send(text: string, is: 'hint' | 'said'): Promise<unknown>;
}

/** A failure of the bus. It omits the bus's own message, which may contain the password. */
export class BusError extends Error {}
