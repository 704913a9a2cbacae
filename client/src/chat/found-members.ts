import type { Answers } from '../../../server/wire/events.ts';
import type { Connection, RequestOf } from '../connection/connection.ts';

/**
 * Requests the first members that match. In a very large room, a page may end before the first match.
 * @param goesOn whether the result is still needed
 */
export async function foundMembers(
  chat: Pick<Connection, 'request'>,
  wanted: RequestOf<'room:members'>,
  goesOn: () => boolean = () => true,
): Promise<Answers['room:members']> {
  let answer = await chat.request('room:members', wanted);
  while (answer.members.length === 0 && answer.next !== undefined && goesOn())
    answer = await chat.request('room:members', { ...wanted, cursor: answer.next });
  return answer;
}
