import type { SessionApplication } from '../application.ts';

export const cacti: SessionApplication = {
  kind: 'cacti',
  title: 'Cacti',
  options: {
    cookieName: 'Cacti',
    userId: 'sess_user_id',
    userName: 'sess_user_id',
    // The guest account that cacti.sql creates: with guest access all visitors have it.
    userNobody: '3',
  },
};
