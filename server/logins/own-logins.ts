import type { CheckResult, Followed, Login, Logins, SessionUser, Watcher } from 'php-sessions';

/** Logins that this server verifies without the site, such as tickets. */
export interface OwnLogins {
  has(login: Login): boolean;
  /** Returns null if the login is still valid. */
  check(login: Login): CheckResult<{ login: Login }> | null;
  watch(login: Login, watcher: Watcher): Followed;
  /** See `Logins.ttl`. */
  ttl(login: Login): number;
  /** Returns the token for file downloads by the browser. */
  fileAccessOf(login: Login): string;
  /** Returns the user of a token for files, or null if it is not valid. The name may be the ID. */
  userByFileAccess(token: string): SessionUser | null;
}

/** Replaces `identify` of the site's logins. */
export const withIdentify = (site: Logins, identify: Logins['identify']): Logins => ({
  ...site,
  identify,
  get lifetime() {
    return site.lifetime;
  },
});

/** Combines the logins of the site with logins of this server. */
export function withOwn(
  site: Logins,
  own: OwnLogins,
  overrides: Pick<Logins, 'identify'> & Partial<Pick<Logins, 'binding'>>,
): Logins {
  return {
    ...site,
    ...overrides,
    check(logins) {
      const others = logins.filter((login) => !own.has(login));
      const results = (others.length > 0 ? site.check(others) : []).values();
      return logins.map(async (login) =>
        own.has(login) ? own.check(login) : ((await results.next().value) ?? null),
      );
    },
    watch(onNotifications) {
      const watch = site.watch(onNotifications);
      return {
        add: (login, watcher) => (own.has(login) ? own.watch(login, watcher) : watch.add(login, watcher)),
        end: () => watch.end(),
      };
    },
    ttl: async (login) => (own.has(login) ? own.ttl(login) : site.ttl(login)),
    get lifetime() {
      return site.lifetime;
    },
    renew: async (login, ttlSeconds) => (own.has(login) ? undefined : site.renew(login, ttlSeconds)),
  };
}
