import type { SessionApplication } from '../application.ts';

export const ttrss: SessionApplication = {
  kind: 'ttrss',
  title: 'Tiny Tiny RSS',
  options: { cookieName: 'ttrss_sid', userId: 'uid', userName: 'name' },
};
