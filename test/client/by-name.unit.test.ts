import { afterEach, expect, test, vi } from 'vitest';
import type { Chat } from '../../client/src/chat/chat.ts';
import { PeopleByName } from '../../client/src/views/people/by-name.ts';

afterEach(() => {
  vi.useRealTimers();
});

/** Starts a search whose requests the test answers. */
function start() {
  vi.useFakeTimers();
  const requests: { query: string; answer: PromiseWithResolvers<object> }[] = [];
  const request = (_: string, { query }: { query: string }) => {
    const answer = Promise.withResolvers<object>();
    requests.push({ query, answer });
    return answer.promise;
  };
  const can = { findPeople: true, direct: true };
  const people = new PeopleByName({ can, me: { id: '1' }, request } as unknown as Chat, 5, () => {});
  const names = () => people.users.map(({ name }) => name);
  const type = async (text: string) => {
    people.find(text);
    await vi.runAllTimersAsync();
  };
  return { people, requests, names, type };
}

const users = (...names: string[]) => ({ users: names.map((name, n) => ({ id: `${n + 2}`, name })) });

test('drops users who do not match the new text, before the response and if the request fails', async () => {
  const { people, requests, names, type } = start();
  await type('bo');
  requests[0]?.answer.resolve(users('Bob', 'Zoë Boe'));
  await vi.runAllTimersAsync();
  expect(names()).toEqual(['Bob', 'Zoë Boe']);
  await type('boe');
  expect(names()).toEqual(['Zoë Boe']);
  people.find('carol');
  expect(names()).toEqual([]);
  await vi.runAllTimersAsync();
  requests[2]?.answer.reject(new Error());
  await vi.runAllTimersAsync();
  expect(names()).toEqual([]);
});

test('ignores the response to an earlier text, the reader, and a single letter', async () => {
  const { requests, names, type } = start();
  await type('b');
  expect(requests).toEqual([]);
  await type('bo');
  await type('bob');
  requests[1]?.answer.resolve({
    users: [
      { id: '1', name: 'Bob himself' },
      { id: '3', name: 'Bobby' },
    ],
  });
  requests[0]?.answer.resolve(users('Boris'));
  await vi.runAllTimersAsync();
  expect(names()).toEqual(['Bobby']);
});
