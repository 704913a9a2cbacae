import type { Link } from './kept.ts';

/** How one kind of bus works. */
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
  /** A hint may be left out for a later one. */
  send(text: string, is: 'hint' | 'said'): Promise<unknown>;
}

/** A failure of the bus. It leaves out the bus's own message, which may hold the password. */
export class BusError extends Error {}
