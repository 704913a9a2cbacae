import type { SessionApplication } from '../application.ts';

export const shaarli: SessionApplication = {
  kind: 'shaarli',
  title: 'Shaarli',
  options: { cookieName: 'shaarli', userId: 'username', userName: 'username' },
};
