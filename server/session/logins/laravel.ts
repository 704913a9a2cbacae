import type { SessionApplication } from '../application.ts';

/** The guard `web`, and the SHA-1 of Illuminate\Auth\SessionGuard: getName() there. The session has no name. */
const user = 'login_web_59ba36addc2b2f9401580f014c7f58ea4e30989d';

export const laravel: SessionApplication = {
  kind: 'laravel',
  title: 'Laravel',
  options: { cookieName: 'laravel_session', userId: user, userName: user },
};
