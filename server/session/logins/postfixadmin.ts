import type { SessionApplication } from '../application.ts';

export const postfixadmin: SessionApplication = {
  kind: 'postfixadmin',
  title: 'PostfixAdmin',
  options: {
    cookieName: 'postfixadmin_session',
    userId: 'sessid.username',
    userName: 'sessid.username',
  },
};
