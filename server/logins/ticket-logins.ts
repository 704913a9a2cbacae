import {
  type CheckResult,
  type Credentials,
  type Followed,
  type Login,
  type Logins,
  notLoggedIn,
  type Refusal,
  type SessionUser,
  type Watcher,
} from 'php-sessions';
import type { FileAccess } from './file-access.ts';
import { type OwnLogins, withIdentify, withOwn } from './own-logins.ts';
import { loginIdOf, noTickets, refuse, type TicketLogin, TicketState, type VerifyTicket } from './tickets.ts';

/** A login that the site ended with `DELETE /api/sessions/{sid}`. */
export interface EndedLogin {
  /** See `TicketState`. */
  id: string;
  /** When the last ticket of the login has expired, in Unix ms. */
  until: number;
}

/** The logins by ticket. They end when their last ticket expires, or when the site ends them. */
export class TicketLogins implements OwnLogins {
  readonly #verify: VerifyTicket;
  readonly #access: FileAccess;
  /** The end of each ended login's last ticket, by `TicketState.id`. Roughly in order of their ends. */
  readonly #ended = new Map<string, number>();
  readonly #watchers = new Map<string, readonly Watcher[]>();

  constructor(verify: VerifyTicket, access: FileAccess) {
    this.#verify = verify;
    this.#access = access;
  }

  /** Rejects all tickets of a login, and ends its connections. */
  end({ id, until }: EndedLogin): void {
    for (const [old, before] of this.#ended) {
      if (before > Date.now()) break;
      this.#ended.delete(old);
    }
    this.#ended.set(id, until);
    for (const watcher of this.#watchers.get(id) ?? []) watcher.notified();
  }

  /** @param at when the ticket must be valid, in Unix ms */
  async identify(ticket: unknown, at = Date.now()): Promise<TicketLogin | Refusal> {
    const login = await this.#verify(ticket, at);
    if ('code' in login || !this.#ended.has(login.state.id)) return login;
    return refuse('unauthorized', 'the site ended the login of the ticket');
  }

  has(login: Login): login is TicketLogin {
    return login.state instanceof TicketState;
  }

  fileAccessOf(login: TicketLogin): string {
    return this.#access.issue(login);
  }

  userByFileAccess(token: string): SessionUser | null {
    const login = this.#access.verify(token);
    return login === null || this.#ended.has(login.id) ? null : login.user;
  }

  check({ state }: TicketLogin): CheckResult<{ login: Login }> | null {
    return this.#ended.has(state.id) ? notLoggedIn('the site ended the login') : null;
  }

  ttl({ ends }: TicketLogin): number {
    return Math.max(0, ends - Date.now());
  }

  watch({ state: { id } }: TicketLogin, watcher: Watcher): Followed {
    this.#watchers.set(id, (this.#watchers.get(id) ?? []).concat(watcher));
    return {
      since: performance.now(),
      end: () => {
        const others = this.#watchers.get(id)?.filter((other) => other !== watcher) ?? [];
        if (others.length > 0) this.#watchers.set(id, others);
        else this.#watchers.delete(id);
      },
    };
  }
}

/** Combines the logins of the site with logins by ticket. */
export const withTickets = (site: Logins, tickets: TicketLogins): Logins =>
  withOwn(site, tickets, {
    identify: (credentials: Credentials) =>
      credentials.ticket === undefined ? site.identify(credentials) : tickets.identify(credentials.ticket),
    binding: (credentials: Pick<Credentials, 'cookies' | 'ticket'>) =>
      typeof credentials.ticket === 'string' ? loginIdOf(credentials.ticket) : site.binding(credentials),
  });

/** Rejects tickets, so that users with tickets do not get the login of a cookie. */
export const withoutTickets = (site: Logins): Logins =>
  withIdentify(site, async (credentials) =>
    credentials.ticket === undefined ? site.identify(credentials) : refuse('session_invalid', noTickets),
  );

/** The logins of a site whose sessions this server cannot read, so that all users come with tickets. */
export const noSiteLogins: Logins = {
  identify: async () => refuse('unauthorized', 'this server accepts tickets only (CHAT_SESSION_STORE=none)'),
  check: (logins) => logins.map(async () => null),
  binding: () => '',
  watch: () => ({ add: () => ({ since: undefined, end() {} }), end() {} }),
  ttl: async () => null,
  lifetime: undefined,
  renew: async () => {},
  answers: async () => true,
  fault: async () => null,
  close() {},
};
