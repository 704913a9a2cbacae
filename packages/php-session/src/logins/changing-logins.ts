import {
  type CheckResult,
  type Digest,
  type Fingerprint,
  type Login,
  type Logins,
  toUnavailable,
  type Watcher,
} from '../login.ts';
import type { Followed } from '../store.ts';
import { closeDelayMs, createReread, type OnProblem } from './reread.ts';

export interface SessionLogins<State = unknown> extends Logins<State> {
  /** Returns a copy of the login that the next check treats as changed. */
  asUnchecked(login: Login<State>): Login<State>;
}

interface WatchedLogin {
  login: Login;
  watcher: Watcher;
  followed: Followed;
}

/**
 * Opens logins by PHP sessions whose settings may change. After a change each open login is checked by the new settings,
 * and continues if they lead to the same user.
 * @param reopen opens the logins by changed settings. Returns undefined if nothing changed.
 */
export function changingLogins(
  first: SessionLogins,
  reopen: () => Promise<SessionLogins | undefined>,
  fingerprint: (digest: Digest) => Fingerprint,
  onProblem?: OnProblem,
): Logins {
  let logins = first;
  /** The states that were checked by the current settings. Undefined before the first change. */
  let checked: WeakSet<object> | undefined;
  const watched = new Set<WatchedLogin>();
  let watching: { watch: ReturnType<Logins['watch']>; notify: Parameters<Logins['watch']>[0] } | undefined;
  let isClosed = false;

  const reread = createReread(async () => {
    const changed = await reopen();
    if (changed === undefined) return;
    if (isClosed) return changed.close();
    const before = logins;
    logins = changed;
    checked = new WeakSet();
    if (watching !== undefined) {
      const { watch: earlier, notify } = watching;
      watching.watch = logins.watch(notify);
      for (const each of watched) {
        each.followed.end();
        each.followed = watching.watch.add(each.login, each.watcher);
      }
      earlier.end();
    }
    setTimeout(() => before.close(), closeDelayMs).unref();
  }, onProblem);

  async function check(login: Login, current: WeakSet<object>): Promise<CheckResult | null> {
    const { state } = login as Login<object>;
    const result = await logins.check([current.has(state) ? login : logins.asUnchecked(login)])[0];
    current.add(state);
    if (result?.state === 'user') current.add((result.login as Login<object>).state);
    return result ?? null;
  }

  return {
    async identify(credentials) {
      reread.ifDue();
      if (reread.refusal !== undefined) return toUnavailable(reread.refusal);
      const current = checked;
      const answer = await logins.identify(credentials);
      if (!('code' in answer)) current?.add((answer as Login<object>).state);
      return answer;
    },
    check(all) {
      reread.ifDue();
      const { refusal } = reread;
      if (refusal !== undefined) return all.map(() => Promise.reject(refusal));
      const current = checked;
      return current === undefined ? logins.check(all) : all.map((login) => check(login, current));
    },
    binding: (credentials) => logins.binding(credentials),
    watch(notify) {
      const now = { watch: logins.watch(notify), notify };
      watching = now;
      return {
        add(login, watcher) {
          const entry = { login, watcher, followed: now.watch.add(login, watcher) };
          watched.add(entry);
          return {
            get since() {
              return entry.followed.since;
            },
            end() {
              watched.delete(entry);
              entry.followed.end();
            },
          };
        },
        end() {
          if (watching === now) watching = undefined;
          now.watch.end();
        },
      };
    },
    ttl: (login) => logins.ttl(login),
    accounts: first.accounts && {
      names: async (ids) => (await logins.accounts?.names(ids)) ?? new Map(),
      search: async (text, limit) => (await logins.accounts?.search(text, limit)) ?? [],
    },
    findMail: first.findMail && (async (user) => (await logins.findMail?.(user)) ?? null),
    get lifetime() {
      return logins.lifetime;
    },
    renew: (login, ttlSeconds) => logins.renew(login, ttlSeconds),
    async reload() {
      await reread.now();
      await logins.reload?.();
    },
    async fingerprint(digest) {
      reread.ifDue();
      return fingerprint(digest);
    },
    answers() {
      reread.ifDue();
      return reread.refusal === undefined ? logins.answers() : Promise.resolve(false);
    },
    fault: async () => reread.refusal ?? logins.fault(),
    close() {
      isClosed = true;
      logins.close();
    },
  };
}
