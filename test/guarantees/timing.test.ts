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
  `a %s room: %s is refused as fast as for a room that does not exist (medians of ${answers} answers within ${100 * share} % or ${most} ms)`,
  async (kind, event) => {
    const room = hidden[kind] as string;
    const none = `${room.slice(0, 2)}${randomBytes(16).toString('base64url')}`;
    const times: Record<string, number[]> = { [room]: [], [none]: [] };
    const ask = async (id: string) => {
      const began = performance.now();
      const answer = await eve.request(event, { room: id, ...roomRequests[event] });
      times[id]?.push(performance.now() - began);
      expect(answer).toContain('"code":"unknown_room"');
    };
    // By turns, so that whatever slows the machine down slows both, and no order of the two is another's advantage.
    for (let n = 0; n < answers; n++) for (const id of n % 2 ? [room, none] : [none, room]) await ask(id);
    const [a, b] = [median(times[room] as number[]), median(times[none] as number[])];
    const apart = Math.abs(a - b);
    expect(apart < most || apart < share * Math.min(a, b), `${a} ms and ${b} ms`).toBe(true);
  },
);
