import type { SessionApplication } from '../application.ts';

/** The firewall `main`. Never use `_security.last_username` beside it: it is what a visitor typed. */
const user = '_sf2_attributes._security_main!.2.0.username';

export const symfony: SessionApplication = {
  kind: 'symfony',
  title: 'Symfony',
  options: { cookieName: 'PHPSESSID', userId: user, userName: user },
};
