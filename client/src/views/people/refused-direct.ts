import type { User } from '../../../../server/wire/events.ts';
import { RequestError } from '../../connection/connection-state.ts';
import type { Strings } from '../../strings/strings.ts';
import { refusal } from '../refusal.ts';

/** Why there is no direct room with somebody. A person who is blocked learns no more than that. */
export function refusedDirect(error: unknown, { name }: User, strings: Strings): string {
  const isForbidden = error instanceof RequestError && error.code === 'forbidden';
  return isForbidden ? strings.text('composer.blockedDirect', { name }) : refusal(error, strings);
}
