import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { againInSoak } from '../helpers/again-in-soak.ts';
import { connectChat, newClientId } from '../helpers/chat-client.ts';
import { chatServerHere } from '../helpers/chat-here.ts';
import { type JavaClient, nextJavaClient } from '../helpers/java-client.ts';
import { startTicketSite } from '../helpers/ticket-site.ts';

/** The server ends a login 7 s after its last ticket was issued. */
const lifetime = { seconds: 4, behindSeconds: 27 };

let site: Awaited<ReturnType<typeof startTicketSite>>;
beforeAll(async () => {
  site = await startTicketSite({ ...lifetime, start: chatServerHere });
});
const apps = new Set<JavaClient>();
afterEach(async () => {
  await Promise.all([...apps].map((app) => app.end()));
  apps.clear();
});
afterAll(() => site.stop());

/** Logs in to the site and connects with the lobby open. */
async function start(user: string) {
  const app = nextJavaClient();
  apps.add(app);
  await app.ask('visit', { page: `${site.url}/login?as=${user}` });
  await app.ask('chat', { server: site.chatUrl, tickets: `${site.url}/ticket` });
  await app.ask('start');
  await app.ask('open', { room: 'lobby' });
  return app;
}
const shows = (app: JavaClient, text: string) =>
  app.isTold('messages', ({ last, unsent }) => last === text && unsent === 0);
const isState = (app: JavaClient, state: string, from = 0) =>
  app.isTold('state', ({ kind, reason }) => state === [kind, reason].filter(Boolean).join(' '), from);
const statesOf = (app: JavaClient, from: number) =>
  app.told.slice(from).flatMap(({ told, kind }) => (told === 'state' ? [kind] : []));
/** Waits for the next results of the ticket source. */
async function nextTickets(app: JavaClient, count: number) {
  const results = () => app.told.filter(({ told, issued }) => told === 'ticket' && issued).length;
  const before = results();
  await expect.poll(results).toBeGreaterThanOrEqual(before + count);
}

test('an app exchanges messages with the users of a site that the server cannot read', async () => {
  const app = await start('ann');
  expect(await app.isTold('identity')).toMatchObject({ user: 'ann' });
  const bea = await connectChat(site.chatUrl, null, { auth: { ticket: site.ticket({ sub: 'bea' }) } });
  await bea.request('room:join', { room: 'lobby' });
  await app.ask('send', { room: 'lobby', text: 'hello from the app' });
  await expect
    .poll(() => bea.messages().at(-1))
    .toMatchObject({ text: 'hello from the app', user: { name: 'Ann' } });
  await bea.request('message:send', { room: 'lobby', text: 'hello Ann', clientId: newClientId() });
  await shows(app, 'hello Ann');
  bea.close();
});

test('an app uploads and downloads files by ticket', async () => {
  const app = await start('cem');
  const key = await app.ask('upload', { room: 'lobby', name: 'note.txt', size: 300 });
  await app.ask('send', { room: 'lobby', text: 'a note', files: [{ upload: key }] });
  await shows(app, 'a note');
  const { seq } = (await app.messages('lobby')).at(-1) ?? {};
  const { status, base64 } = await app.ask<{ status: number; base64: string }>('download', { seq, index: 0 });
  expect(status).toBe(200);
  expect(Buffer.from(base64, 'base64')).toHaveLength(300);
});

againInSoak('an app stays connected by renewing its ticket', async () => {
  const app = await start('dan');
  const from = app.told.length;
  // The last of these tickets is issued after the first has expired.
  await nextTickets(app, 4);
  await app.ask('send', { room: 'lobby', text: 'still here' });
  await shows(app, 'still here');
  expect(statesOf(app, from)).toEqual([]);
});

test('an app reconnects by ticket after a restart of the server', async () => {
  const app = await start('eve');
  const from = app.told.length;
  await site.restartChat();
  await isState(app, 'OFFLINE', from);
  await app.ask('wake');
  await isState(app, 'ONLINE', from);
});

test('an app’s session ends at once if the site tells the server about the logout', async () => {
  const app = await start('fay');
  await app.ask('visit', { page: `${site.url}/logout?tell` });
  await isState(app, 'CHECKING_SESSION LOGOUT');
  await isState(app, 'SESSION_ENDED LOGOUT');
});

test('an app’s session ends at the next renewal if the site does not tell the server', async () => {
  const app = await start('gus');
  await app.ask('visit', { page: `${site.url}/logout` });
  await isState(app, 'SESSION_ENDED LOGOUT');
  expect(app.told.findLast(({ told }) => told === 'ticket')).toMatchObject({ issued: false });
});

againInSoak('an app continues if the site is back after the app’s ticket ended', async () => {
  const app = await start('hal');
  const from = app.told.length;
  await site.stopPhp();
  await isState(app, 'OFFLINE', from);
  await site.restartPhp();
  await app.ask('wake');
  await isState(app, 'ONLINE', from);
  expect(new Set(statesOf(app, from))).toEqual(new Set(['OFFLINE', 'ONLINE']));
});
