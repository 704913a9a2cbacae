/** A ticket of the site: a JSON Web Token for the chat server. */
interface Ticket {
  readonly text: string;
  /** When to fetch the next ticket, and when this ticket expires, in Unix ms. */
  readonly renewAt: number;
  readonly ends: number;
  /** Whether the server accepted it. */
  accepted: boolean;
}

/** The next ticket is fetched this long before the current one expires, but not in the first half of its lifetime. */
const EARLY_MS = 60_000;
/** A ticket with less time left is not used for a new connection. */
const SPARE_MS = 10_000;
/** The delay before the next attempt if the site did not respond, or the server rejected its ticket. */
const AGAIN_MS = 5000;
/** The minimum time between two renewals, for tickets that expire at once. */
const LEAST_MS = 1000;
const TIMEOUT_MS = 8000;

export interface TicketListener {
  /** There is a new ticket for the open connection. @returns whether the server accepted it */
  renew(ticket: string): Promise<boolean>;
  /** The site answered that the user is not logged in. */
  loggedOut(): void;
}

/** Fetches tickets from the site, at the address of `ticket-url`, and renews them while the chat is connected. */
export class Tickets {
  readonly #url: string;
  readonly #listener: TicketListener;
  #ticket: Ticket | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(url: string, listener: TicketListener) {
    this.#url = url;
    this.#listener = listener;
  }

  /** The last ticket. */
  get current(): string | undefined {
    return this.#ticket?.text;
  }

  /**
   * Returns the last ticket if it is still valid, otherwise a new one. Null if the user is not logged in. Rejects if
   * the site does not answer.
   */
  async take(): Promise<string | null> {
    if (this.#ticket !== undefined && Date.now() < this.#ticket.ends - SPARE_MS) return this.#ticket.text;
    this.#ticket = (await this.#fetch()) ?? undefined;
    return this.#ticket?.text ?? null;
  }

  /** Discards the ticket, which the server rejected. @returns whether the server accepted it before */
  discard(): boolean {
    const { accepted = false } = this.#ticket ?? {};
    this.#ticket = undefined;
    return accepted;
  }

  /** Called when the server accepted the ticket. Renews it until `stop`. */
  start(): void {
    this.stop();
    if (this.#ticket === undefined) return;
    this.#ticket.accepted = true;
    this.#renewIn(this.#ticket.renewAt - Date.now());
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #renewIn(ms: number): void {
    this.#timer = setTimeout(() => void this.#renew(), Math.max(LEAST_MS, ms));
  }

  async #renew(): Promise<void> {
    const timer = this.#timer;
    const isStopped = () => timer !== this.#timer;
    const next = await this.#fetch().catch(() => undefined);
    if (isStopped()) return;
    if (next === null) {
      this.#ticket = undefined;
      return this.#listener.loggedOut();
    }
    const isAccepted = next !== undefined && (await this.#listener.renew(next.text));
    if (isStopped()) return;
    // A later ticket may come in time. If not, the server ends the connection.
    if (!isAccepted) return this.#renewIn(AGAIN_MS);
    this.#ticket = next;
    this.start();
  }

  async #fetch(): Promise<Ticket | null> {
    const began = Date.now();
    const response = await fetch(this.#url, {
      credentials: 'include',
      cache: 'no-store',
      headers: { Accept: 'application/json' },
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    if (response.status === 401) return null;
    if (!response.ok) throw new Error(`ticket-url: HTTP ${response.status}`);
    const { ticket } = (await response.json()) as { ticket: string };
    // The clock of this machine may be wrong, so only the difference counts.
    const { iat, exp } = JSON.parse(atob(ticket.split('.')[1]?.replace(/-/g, '+').replace(/_/g, '/') ?? ''));
    const lifetime = (exp - iat) * 1000;
    return {
      text: ticket,
      renewAt: began + Math.max(lifetime - EARLY_MS, lifetime / 2),
      ends: began + lifetime,
      accepted: false,
    };
  }
}
