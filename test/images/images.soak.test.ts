import { randomBytes } from 'node:crypto';
import sharp from 'sharp';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { connectChat, newClientId } from '../helpers/chat-client.ts';
import { download, upload } from '../helpers/files.ts';
import { eventsOf } from '../helpers/people.ts';
import { logIn } from '../helpers/php-app.ts';
import { type Composed, composeUp } from './compose.ts';
import { type Engine, makeStandIns, startEngine } from './engine.ts';

/** Our two images, built and run with the compose files, as users get them. */
let engine: Engine;
beforeAll(async () => {
  engine = startEngine();
  await makeStandIns(engine);
}, 1_800_000);
afterAll(() => engine.remove(), 1_800_000);

/** The origin of the compose files' site, because pages of other origins may not connect. */
const headers = { origin: 'http://localhost:8080' };

/** Logs a user in to the site and joins the lobby. */
async function person(site: Composed, name: string, cookie?: string) {
  const session = cookie ?? (await logIn(site.url(8080), name));
  const client = await connectChat(site.url(7070), session, {
    extraHeaders: { cookie: session, ...headers },
  });
  onTestFinished(() => client.close());
  const { messages } = await client.request('room:join', { room: 'lobby' });
  return { ...client, cookie: session, read: messages };
}

/** Returns the status of the chat's response, or the error. */
const answer = (site: Composed, path: string) =>
  fetch(site.url(7070) + path).then(({ status }) => status, String);

test.each([
  ['docker-compose.yml', ['chat'], [undefined]],
  ['docker-compose.cluster.yml', ['one', 'two'], ['one', 'two']],
])(
  '%s: delivers messages between users of the site, and keeps them across a restart',
  async (file, chats, nodes) => {
    const site = await composeUp(engine, file, { CHAT_API_KEY: randomBytes(32).toString('hex') });
    onTestFinished(() => site.down());
    for (const service of site.checked) await site.healthy(service);
    for (const service of ['php', ...chats]) {
      const user = await site.podman(service, 'exec', '{}', 'id', '-u');
      expect(await site.podman(service, 'inspect', '--format={{.Config.User}}', '{}')).toBe(user);
      expect(user).not.toBe('0');
      const isReadOnly = '{{.HostConfig.ReadonlyRootfs}}';
      expect(await site.podman(service, 'inspect', `--format=${isReadOnly}`, '{}')).toBe('true');
    }
    const [chat = ''] = chats;
    // Retried, because the doctor's time limits assume an idle machine.
    const command = ['php-session-chat', 'doctor', '--chat', 'http://127.0.0.1:7070'];
    let doctor = '';
    const examine = async () => {
      doctor = await site.podman(chat, 'exec', '{}', ...command).catch(String);
      return doctor;
    };
    await expect.poll(examine, { timeout: 120_000 }).not.toContain('✗');
    expect(doctor).toContain('✓ A WebSocket reaches the chat at http://127.0.0.1:7070.');
    expect(doctor).toContain('To follow one login from the cookie to the user: php-session-chat doctor ');
    for (const path of ['/', '/php-chat.js', '/guide.html']) {
      await expect.poll(() => answer(site, path)).toBe(200);
    }

    const alice = await person(site, 'alice');
    const bobs = [await person(site, 'bob')];
    const reached = () => new Set([alice, ...bobs].map(({ ready }) => ready.node));
    // Each process of nginx alternates between the servers, and leaves out a server for 10 s after a failed request.
    const next = async () => {
      const bob = reached().size < nodes.length ? await person(site, 'bob') : undefined;
      if (bob === undefined || reached().has(bob.ready.node)) bob?.close();
      else bobs.push(bob);
      return reached();
    };
    await expect.poll(next, { interval: 1000 }).toEqual(new Set(nodes));

    const picture = await sharp({ create: { width: 2000, height: 2000, channels: 3, background: 'teal' } })
      .png()
      .toBuffer();
    const { file: sent } = await upload(site.url(7070), alice.cookie, picture, { name: 'a.png', headers });
    const text = 'Hello from a container';
    await alice.request('message:send', {
      room: 'lobby',
      text,
      files: [{ id: sent.id }],
      clientId: newClientId(),
    });
    for (const bob of bobs) {
      await expect.poll(() => eventsOf(bob, 'message:new').map((message) => message.text)).toContain(text);
      const preview = await download(site.url(7070), bob.cookie, sent, { preview: true, headers });
      expect([preview.status, (await sharp(await preview.arrayBuffer()).metadata()).format]).toEqual([
        200,
        'webp',
      ]);
    }

    const [bob] = bobs;
    for (const chat of chats) {
      expect(await site.restart(chat)).toBe(0);
    }
    await expect.poll(() => answer(site, '/readyz')).toBe(200);
    const again = await person(site, 'bob', bob?.cookie);
    expect(again.read.map((message) => [message.text, message.files?.length])).toContainEqual([text, 1]);
  },
  1_800_000,
);
