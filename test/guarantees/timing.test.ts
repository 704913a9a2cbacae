import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { connectChat, newClientId } from '../helpers/chat-client.ts';
import { type ChatSite, startChatSite } from '../helpers/chat-site.ts';
import { connectRaw, type RawClient } from '../helpers/raw-client.ts';
import { roomRequests } from '../helpers/room-requests.ts';
import { size, within } from './size.ts';

const answers = size(1000, 120);
/** Milliseconds, and a share of the median: the one or the other. */
const most = within(0.1);
const share = within(0.1);

let site: ChatSite;
let eve: RawClient;
const hidden: Record<string, string> = {};
beforeAll(async () => {
  site = await startChatSite();
  const ann = await connectChat(site.chat.url, await site.session('ann'));
  const { room } = await ann.request('room:create', {
    name: 'Den',
    kind: 'private',
    clientId: newClientId(),
  });
  const direct = (await ann.request('direct:open', { user: 'ben' })).room;
  hidden.private = room.id;
  hidden.direct = direct.id;
  for (const id of Object.values(hidden)) {
    await ann.request('room:join', { room: id });
    for (let n = 0; n < 100; n++) {
      await ann.request('message:send', { room: id, text: `message ${n}`, clientId: newClientId() });
    }
  }
  eve = await connectRaw(site.chat.port, await site.session('eve'));
});
afterAll(() => site.close());

const median = (times: number[]) => [...times].sort((a, b) => a - b)[times.length >> 1] as number;

test.each(
  Object.keys(roomRequests).flatMap(
    (event) =>
      [
        ['private', event],
        ['direct', event],
      ] as const,
  ),
)(
  `a %s room: %s is refused as fast as for a room that does not exist (medians of ${answers} answers within ${100 * share} % or ${most} ms, one time of three at least)`,
  async (kind, event) => {
    const room = hidden[kind] as string;
    const none = `${room.slice(0, 2)}${randomBytes(16).toString('base64url')}`;
    await takesAsLong([room, none], async (id) => {
      const answer = await eve.request(event, { room: id, ...roomRequests[event] });
      expect(answer).toContain('"code":"unknown_room"');
    });
  },
);

test('a search takes as long for a text of hidden rooms as for one that nobody has written', async () => {
  await takesAsLong(['message', 'messzge'], async (query) => {
    expect(await eve.request('message:search', { query, limit: 1 })).toContain('"data":{"messages":[]}');
  });
});

/** One time of three at least, asking for the one and the other takes equally long. */
async function takesAsLong(
  both: readonly [string, string],
  ask: (one: string) => Promise<void>,
): Promise<void> {
  const medians = async () => {
    const times = new Map(both.map((one) => [one, [] as number[]]));
    // By turns, so that whatever slows the machine down slows both, and no order is the advantage of one.
    for (let n = 0; n < answers; n++) {
      for (const one of n % 2 ? both : both.toReversed()) {
        const began = performance.now();
        await ask(one);
        times.get(one)?.push(performance.now() - began);
      }
    }
    return both.map((one) => median(times.get(one) as number[])) as [number, number];
  };
  // A server that shows something by its time shows it each time; what else the machine does is seldom the same three times.
  const tries: string[] = [];
  for (let n = 0; n < 3; n++) {
    const [a, b] = await medians();
    if (Math.abs(a - b) < Math.max(most, share * Math.min(a, b))) return;
    tries.push(`${a} ms and ${b} ms`);
  }
  expect(tries).toEqual([]);
}
