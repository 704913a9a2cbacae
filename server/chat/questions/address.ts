import type { History } from '../../history/history.ts';
import { RateLimit } from '../../limits/by-key.ts';
import { RequestError } from '../../wire/errors.ts';
import type { Answers, RequestPayload } from '../../wire/events.ts';
import { guestKeptMs } from '../../wire/guest.ts';
import type { Chat } from '../chat.ts';
import type { Connection } from '../model.ts';
import { teamName } from './team.ts';

// The mail address of a guest, to which answers are mailed.

/** Addresses that are deleted in one write. */
const addressesAtOnce = 100;

/** How often the guests of a network address can set their mail addresses. */
const addressChanges = new RateLimit({ count: 5, ms: 60 * 60_000 });

export async function setAddress(
  { history }: Chat,
  connection: Connection,
  { mail }: RequestPayload<'question:address'>,
): Promise<Answers['question:address']> {
  // Guests share the limit, but any of them can always delete the own address.
  const retryAfterMs = mail === null ? null : addressChanges.take(connection.account);
  if (retryAfterMs !== null) throw new RequestError('rate_limited', undefined, { retryAfterMs });
  const { id: user } = connection.person.user;
  const { room } = await history.write.setQuestionAddress(
    { user, team: teamName, address: mail },
    connection.id,
  );
  return { address: room.question?.address };
}

/** Records in the background that a guest answered a mail. */
export function verifyAddress({ history, onAsideFailure }: Chat, user: string): void {
  history.write
    .verifyQuestionAddress({ user, team: teamName })
    .catch((error: unknown) => onAsideFailure('address_verified', error));
}

/** Deletes the address of a guest, if there is one. */
export async function forgetAddress({ write }: Pick<History, 'write'>, user: string): Promise<void> {
  try {
    await write.setQuestionAddress({ user, team: teamName, address: null });
  } catch (error) {
    // The guest has no question any more.
    if (!(error instanceof RequestError && error.code === 'forbidden')) throw error;
  }
}

/** Deletes the addresses that nobody verified in time. */
export async function forgetOldAddresses(
  { write }: Pick<History, 'write'>,
  signal: AbortSignal,
): Promise<void> {
  let forgotten = addressesAtOnce;
  while (forgotten === addressesAtOnce && !signal.aborted) {
    const old = { before: Date.now() - guestKeptMs, most: addressesAtOnce };
    ({ forgotten } = await write.forgetQuestionAddresses(old));
  }
}
