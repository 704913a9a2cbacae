import { type Logins, type SiteAccounts, StoreError } from '../../packages/php-session/src/login.ts';
import { hanging } from './hanging.ts';

const isLate = (why: string) => why.includes('did not answer within');

/** Repeats a query that times out in the store. On a busy machine, a timeout is not a result of the test. */
export function patient<State>(logins: Logins<State>): Logins<State> {
  const again = async <T>(ask: () => Promise<T>, given = ask()): Promise<T> => {
    const end = performance.now() + hanging;
    for (let answer = given; ; answer = ask()) {
      try {
        return await answer;
      } catch (error) {
        if (!(error instanceof StoreError && isLate(error.message)) || performance.now() > end) throw error;
      }
    }
  };
  const patientAccounts = ({ names, search }: SiteAccounts): SiteAccounts => ({
    names: (ids) => again(() => names(ids)),
    search: (text, limit) => again(() => search(text, limit)),
  });
  return {
    async identify(credentials) {
      const end = performance.now() + hanging;
      for (;;) {
        const answer = await logins.identify(credentials);
        if (!('reason' in answer && isLate(answer.reason)) || performance.now() > end) return answer;
      }
    },
    check: (known) =>
      logins.check(known).map((verdict, n) => {
        const login = known.slice(n, n + 1);
        return again(() => logins.check(login)[0] as typeof verdict, verdict);
      }),
    ttl: (login) => again(() => logins.ttl(login)),
    renew: (login, seconds) => again(() => logins.renew(login, seconds)),
    binding: (credentials) => logins.binding(credentials),
    watch: (onNotifications) => logins.watch(onNotifications),
    get lifetime() {
      return logins.lifetime;
    },
    ...(logins.reload === undefined ? {} : { reload: () => logins.reload?.() as Promise<void> }),
    ...(logins.findMail === undefined
      ? {}
      : { findMail: (user: string) => again(() => logins.findMail?.(user) as Promise<string | null>) }),
    ...(logins.accounts && { accounts: patientAccounts(logins.accounts) }),
    answers: () => logins.answers(),
    fault: () => logins.fault(),
    close: () => logins.close(),
  };
}
