import { expect, onTestFinished, test, vi } from 'vitest';
import { Typing } from '../../../server/chat/messages/typing.ts';
import { type Connection, newRoom, type Room } from '../../../server/chat/model.ts';

function start() {
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
  const sentToClients: boolean[] = [];
  const sentToServers: boolean[] = [];
  const ignore = () => {};
  const toConnections = (_: unknown, __: string, { typing }: { typing: boolean }) =>
    void sentToClients.push(typing);
  const typing = new Typing(
    { toRoom: ignore, toConnections, join: ignore, leave: ignore } as ConstructorParameters<typeof Typing>[0],
    {
      typing: (_: unknown, __: unknown, on: boolean) => void sentToServers.push(on),
    } as ConstructorParameters<typeof Typing>[1],
  );
  const room = () => newRoom({ id: 'lobby', kind: 'public' } as Room['record']);
  const connectionOf = (id: string) =>
    ({
      id,
      identity: { id, name: id },
      person: { user: { id }, blocked: new Set() },
    }) as unknown as Connection;
  const [first, other] = [room(), room()];
  const [ann, ben] = [connectionOf('ann'), connectionOf('ben')];
  for (const each of [first, other]) each.joined.add(connectionOf('cat'));
  /** @returns the number of events for the start and for the end of typing */
  const inTurn = (where: Room, who: Connection, times: number) => {
    sentToClients.length = 0;
    sentToServers.length = 0;
    for (let n = 0; n < times; n++) for (const on of [true, false]) typing.set(where, who, on);
    expect(sentToServers).toEqual(sentToClients);
    return [sentToClients.filter((on) => on).length, sentToClients.filter((on) => !on).length];
  };
  return { typing, sentToClients, first, other, ann, ben, inTurn };
}

test('limits the rate of typing events', () => {
  const { first, other, ann, ben, inTurn } = start();
  expect(inTurn(first, ann, 100)).toEqual([4, 4]);
  expect([inTurn(other, ann, 2), inTurn(first, ben, 2)]).toEqual([
    [2, 2],
    [2, 2],
  ]);
  vi.advanceTimersByTime(2400);
  expect(inTurn(first, ann, 100)).toEqual([0, 0]);
  vi.advanceTimersByTime(100);
  expect(inTurn(first, ann, 100)).toEqual([1, 1]);
  vi.advanceTimersByTime(60_000);
  expect(inTurn(first, ann, 100)).toEqual([4, 4]);
});

test('announces typing that continues after it exceeded the rate', () => {
  const { typing, sentToClients, first, ann, inTurn } = start();
  inTurn(first, ann, 100);
  sentToClients.length = 0;
  typing.set(first, ann, true);
  expect(sentToClients).toEqual([]);
  vi.advanceTimersByTime(3000);
  typing.set(first, ann, true);
  expect(sentToClients).toEqual([true]);
  vi.advanceTimersByTime(6000);
  expect(sentToClients).toEqual([true, false]);
});

test('announces typing on another server once its user is present, unless it ended', () => {
  const { typing, sentToClients, first } = start();
  const user = { id: 'dan', name: 'Dan' };
  const arrive = () => {
    sentToClients.length = 0;
    first.present.set(user.id, user);
    typing.arrived(first, user);
    const announced = [...sentToClients];
    first.present.delete(user.id);
    typing.stop(first, user.id);
    return announced;
  };
  const early = (on = true, room: Room | undefined = first) =>
    typing.setElsewhere(first.record, room, user.id, on);
  early();
  expect(sentToClients).toEqual([]);
  expect(arrive()).toEqual([true]);
  expect(arrive()).toEqual([]);
  // Before the room is known.
  typing.setElsewhere(first.record, undefined, user.id, true);
  expect(arrive()).toEqual([true]);
  early();
  early(false);
  expect(arrive()).toEqual([]);
  // The user's message ends it.
  early();
  typing.stop(first, user.id);
  expect(arrive()).toEqual([]);
  early();
  vi.advanceTimersByTime(6000);
  expect(arrive()).toEqual([]);
  // Another room that had the ID before.
  typing.setElsewhere({ ...first.record, createdAt: 1 }, undefined, user.id, true);
  expect(arrive()).toEqual([]);
});
