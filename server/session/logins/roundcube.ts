import type { SessionApplication } from '../application.ts';

export const roundcube: SessionApplication = {
  kind: 'roundcube',
  title: 'Roundcube',
  options: {
    cookieName: 'roundcube_sessid',
    userId: 'user_id',
    userName: 'username',
    // With PHP's own storage the session of the id before the login keeps the user, but not this key.
    userRequire: 'auth_secret',
  },
};
