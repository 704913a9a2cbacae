import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { connectChat, newClientId } from '../helpers/chat-client.ts';
import { chatServerHere } from '../helpers/chat-here.ts';
import type { RunningChat } from '../helpers/chat-server.ts';
import { type ChatSite, startChatSite } from '../helpers/chat-site.ts';
import { connectRaw, type RawClient } from '../helpers/raw-client.ts';
import { roomRequests } from '../helpers/room-requests.ts';
import { takesAsLong } from '../helpers/takes-as-long.ts';
import { size } from './size.ts';

const answers = size(1000, 60);
/** The maximum difference, in milliseconds or as a share of the median. */
const most = size(0.1, 0.5);
const share = size(0.1, 0.5);
const bounds = { answers, most, share };

let site: ChatSite<RunningChat>;
let eve: RawClient;
const hidden: Record<string, string> = {};
beforeAll(async () => {
  site = await startChatSite({}, chatServerHere);
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
    for (let n = 0; n < size(100, 20); n++) {
      await ann.request('message:send', { room: id, text: `message ${n}`, clientId: newClientId() });
    }
  }
  eve = await connectRaw(site.chat.port, await site.session('eve'));
});
afterAll(() => site.close());

const requests = Object.keys(roomRequests);
/** The requests that every run measures. A soak run measures all. */
const few = ['room:join', 'room:mute', 'message:send', 'message:history'];
test.each([
  ...size(requests, few).map((event) => ['private', event] as const),
  ...size(requests, ['room:join']).map((event) => ['direct', event] as const),
])(
  `a %s room: rejects %s as fast as for a missing room (medians of ${answers} responses within ${100 * share} % or ${most} ms)`,
  async (kind, event) => {
    const room = hidden[kind] as string;
    const none = `${room.slice(0, 2)}${randomBytes(16).toString('base64url')}`;
    const ask = async (id: string) => {
      const answer = await eve.request(event, { room: id, ...roomRequests[event] });
      expect(answer).toContain('"code":"unknown_room"');
    };
    await takesAsLong([() => ask(room), () => ask(none)], bounds);
  },
);

test('a search takes as long for text in hidden rooms as for missing text', async () => {
  const ask = async (query: string) => {
    expect(await eve.request('message:search', { query, limit: 1 })).toContain('"data":{"messages":[]}');
  };
  await takesAsLong([() => ask('message'), () => ask('messzge')], bounds);
});
