import type { SessionApplication } from '../application.ts';

export const phpmyadmin: SessionApplication = {
  kind: 'phpmyadmin',
  title: 'phpMyAdmin',
  options: {
    cookieName: 'phpMyAdmin',
    userId: 'relation.1.user',
    userName: 'relation.1.user',
  },
};
