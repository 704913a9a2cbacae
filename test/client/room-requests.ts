import { Clock } from '../../client/src/connection/clock.ts';
import type { Connection, RequestOf } from '../../client/src/connection/connection.ts';
import { Room } from '../../client/src/store/room.ts';
import type { Answers, RequestName, RoomSummary } from '../../server/wire/events.ts';

/** A connection whose requests, all with this name, the test answers in any order. */
export function answeredByTest<E extends RequestName & keyof Answers>() {
  const requests: { payload: RequestOf<E>; answer(data: Answers[E]): Promise<void> }[] = [];
  const request = (_: E, payload: RequestOf<E>) => {
    const { promise, resolve } = Promise.withResolvers<Answers[E]>();
    const answer = async (data: Answers[E]) => {
      resolve(data);
      // Code that waits for the response continues in later ticks.
      await new Promise((done) => setImmediate(done));
    };
    requests.push({ payload, answer });
    return promise;
  };
  const connection = { state: { kind: 'ready' }, clock: new Clock(), request };
  return { requests, connection: connection as unknown as Connection };
}

/** A room in which the user has these rights. */
export const roomOf = (id: string, may: RoomSummary['may'] = ['send']) =>
  new Room({ id, name: id, kind: 'public', member: true, members: 3, may } as RoomSummary);
