import type { User } from '../../../server/wire/events.ts';
import { RequestError } from '../connection/connection-state.ts';
import type { Strings } from '../strings/strings.ts';

/** Returns the text that explains a failed request. Rethrows any other error, because that is a bug. */
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

/** Returns the text for a direct room that could not be opened. A blocked user is not told about the block. */
export function refusedDirect(error: unknown, { name }: User, strings: Strings): string {
  const isForbidden = error instanceof RequestError && error.code === 'forbidden';
  return isForbidden ? strings.text('composer.blockedDirect', { name }) : refusal(error, strings);
}
