import type { Message } from '../../../server/wire/events.ts';

/** The ID that mentions all members of a room (@all). */
export const EVERYBODY = '*';

/** The ID of all erased users. No session has it. */
export const ERASED = '0';

/** Whether a message mentions this user. */
export const mentions = ({ mentions: all }: Pick<Message, 'mentions'>, me: string | undefined): boolean =>
  all?.some(({ user: { id } }) => id === me || id === EVERYBODY) === true;
