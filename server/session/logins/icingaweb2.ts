import type { SessionApplication } from '../application.ts';

export const icingaweb2: SessionApplication = {
  kind: 'icingaweb2',
  title: 'Icinga Web 2',
  options: {
    cookieName: 'Icingaweb2',
    userId: 'user.localUsername',
    userName: 'user.localUsername',
  },
};
