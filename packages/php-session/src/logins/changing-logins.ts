import {
  type CheckResult,
  type Digest,
  type Fingerprint,
  type Login,
  type Logins,
  unavailable,
  type Watcher,
} from '../login.ts';
import type { Followed } from '../store.ts';
import { closedAfter, type OnProblem, rereading } from './reread.ts';

/** Logins by PHP sessions. */
export interface SessionLogins<State = unknown> extends Logins<State> {
  /** The login in a state that no check finds unchanged, so that the next check judges it. */
  unjudged(login: Login<State>): Login<State>;
}

/** A login that is watched, in whichever store its session is. */
interface Watched {
  login: Login;
  watcher: Watcher;
  followed: Followed;
}

/**
 * Logins whose settings may change while the server runs. After a change each open login is judged again, and stays if
 * the new settings lead to the same user.
 * @param again opens the logins by changed settings; undefined if nothing has changed
 * @param fingerprint as in `Logins`
 */
export function changingLogins(
  first: SessionLogins,
  again: () => Promise<SessionLogins | undefined>,
  fingerprint: (digest: Digest) => Fingerprint,
  onProblem?: OnProblem,
): Logins {
  let logins = first;
  /** The states that were judged by the present settings; undefined as long as these are the first. */
  let judged: WeakSet<object> | undefined;
  const watched = new Set<Watched>();
  let watching: { watch: ReturnType<Logins['watch']>; notify: Parameters<Logins['watch']>[0] } | undefined;
  let closed = false;

  const reread = rereading(async () => {
    const changed = await again();
    if (changed === undefined) return;
    if (closed) return changed.close();
    const before = logins;
    logins = changed;
    judged = new WeakSet();
    if (watching !== undefined) {
      const { watch: earlier, notify } = watching;
      watching.watch = logins.watch(notify);
      for (const one of watched) {
        one.followed.end();
        one.followed = watching.watch.add(one.login, one.watcher);
      }
      earlier.end();
    }
    setTimeout(() => before.close(), closedAfter).unref();
  }, onProblem);

  async function check(login: Login, by: WeakSet<object>): Promise<CheckResult | null> {
    const { state } = login as Login<object>;
    const verdict = await logins.check([by.has(state) ? login : logins.unjudged(login)])[0];
    by.add(state);
    if (verdict?.state === 'user') by.add((verdict.login as Login<object>).state);
    return verdict ?? null;
  }

  return {
    async identify(credentials) {
      reread.ifDue();
      if (reread.refusal !== undefined) return unavailable(reread.refusal);
      const by = judged;
      const answer = await logins.identify(credentials);
      if (!('code' in answer)) by?.add((answer as Login<object>).state);
      return answer;
    },
    check(all) {
      reread.ifDue();
      const { refusal } = reread;
      if (refusal !== undefined) return all.map(() => Promise.reject(refusal));
      const by = judged;
      return by === undefined ? logins.check(all) : all.map((login) => check(login, by));
    },
    binding: (credentials) => logins.binding(credentials),
    watch(notify) {
      const now = { watch: logins.watch(notify), notify };
      watching = now;
      return {
        add(login, watcher) {
          const one = { login, watcher, followed: now.watch.add(login, watcher) };
          watched.add(one);
          return {
            get since() {
              return one.followed.since;
            },
            end() {
              watched.delete(one);
              one.followed.end();
            },
          };
        },
        end: () => now.watch.end(),
      };
    },
    ttl: (login) => logins.ttl(login),
    ...(first.accounts && {
      accounts: {
        names: async (ids) => (await logins.accounts?.names(ids)) ?? new Map(),
        search: async (text, limit) => (await logins.accounts?.search(text, limit)) ?? [],
      },
    }),
    ...(first.mailOf && { mailOf: async (user) => (await logins.mailOf?.(user)) ?? null }),
    get lifetime() {
      return logins.lifetime;
    },
    renew: (login, seconds) => logins.renew(login, seconds),
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
      closed = true;
      logins.close();
    },
  };
}
