import type { User } from '../../../server/wire/events.ts';
import { RequestError } from '../connection/connection-state.ts';
import type { Strings } from '../strings/strings.ts';

/**
 * Why something was not done, in words. An error that is no answer of the server is a fault of this program.
 */
export function refusal(error: unknown, strings: Strings, otherwise = strings.text('error.other')): string {
  if (!(error instanceof RequestError)) throw error;
  if (error.code === 'offline') return strings.text('conn.lost');
  if (error.code === 'forbidden') return strings.text('error.forbidden');
  if (error.code === 'unknown_room') return strings.text('error.unknown_room');
  if (error.code === 'unknown_user') return strings.text('error.unknown_user');
  if (error.code === 'rate_limited')
    return strings.text('error.rate_limited', { s: Math.ceil((error.retryAfterMs ?? 1000) / 1000) });
  return otherwise;
}

/** Why there is no direct room with somebody. A person who is blocked learns no more than that. */
export function refusedDirect(error: unknown, { name }: User, strings: Strings): string {
  const isForbidden = error instanceof RequestError && error.code === 'forbidden';
  return isForbidden ? strings.text('composer.blockedDirect', { name }) : refusal(error, strings);
}
