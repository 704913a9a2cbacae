import type { Message } from '../../../server/wire/events.ts';

/** The id by which everybody in a room is mentioned. */
export const EVERYBODY = '*';

/** The id of all who were erased: no session has it. */
export const ERASED = '0';

/** Whether a message mentions this user. */
export const mentions = ({ mentions: all }: Pick<Message, 'mentions'>, me: string | undefined): boolean =>
  all?.some(({ user: { id } }) => id === me || id === EVERYBODY) === true;
