import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { historyFolder } from '../helpers/chat-server.ts';
import { hanging } from '../helpers/hanging.ts';
import { type JavaClient, nextJavaClient } from '../helpers/java-client.ts';
import { type PeopleSite, startPeopleSite } from '../helpers/people.ts';

const kept = historyFolder();
let site: PeopleSite;
let app: JavaClient;
beforeAll(async () => {
  writeFileSync(`${kept.path}.push-key`, randomBytes(32).toString('base64'));
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const account = {
    type: 'service_account',
    project_id: 'garden',
    client_email: 'chat@garden.example',
    private_key: privateKey.export({ type: 'pkcs8', format: 'pem' }),
    token_uri: 'https://127.0.0.1:1/token',
  };
  writeFileSync(`${kept.path}.account`, JSON.stringify(account));
  site = await startPeopleSite({
    CHAT_HISTORY: kept.url,
    CHAT_PUSH_KEY_FILE: `${kept.path}.push-key`,
    CHAT_FCM: `${kept.path}.account`,
  });
  app = nextJavaClient();
});
afterAll(async () => {
  await app.end();
  await site.close();
  kept.remove();
});

test('an app manages devices, notification settings and activity', async () => {
  const also = await site.person();
  await app.ask('setCookie', { page: 'http://127.0.0.1/', value: also.cookie.split('=')[1] });
  await app.ask('chat', { server: site.chat.url });
  await app.ask('start');
  await app.isTold('identity');

  const id = await app.ask<string>('registerDevice', { token: 'app:1', name: 'Phone' });
  expect(await app.ask('devices')).toEqual([{ id, kind: 'APP', name: 'Phone', at: expect.any(Number) }]);
  expect((await also.request('device:list', {})).devices).toMatchObject([{ id, kind: 'app' }]);
  await app.ask('removeDevice', { device: id });
  expect(await app.ask('devices')).toEqual([]);

  expect(await app.ask('notices')).toEqual({ mail: 15, push: true, quiet: '22:00 07:00 UTC', text: 'TEXT' });
  const quiet = { from: '20:00', to: '08:30', zone: 'Asia/Tokyo' };
  expect(
    await app.ask('setNotices', { mail: 0, push: false, quiet, text: 'NAME', language: 'pt-BR' }),
  ).toEqual({
    mail: 0,
    push: false,
    quiet: '20:00 08:30 Asia/Tokyo',
    text: 'NAME',
  });
  expect(await app.ask('setNotices', { mail: -1, quiet: null })).toEqual({
    mail: -1,
    push: false,
    text: 'NAME',
  });
  expect(await also.request('notify:get', {})).toMatchObject({ mail: 'off', push: false, quiet: null });

  const db = new DatabaseSync(kept.path, { readOnly: true });
  const acts = () => db.prepare('SELECT * FROM chat_active WHERE user_id = ?').all(also.id);
  expect(acts()).toEqual([]);
  await app.ask('active');
  await expect.poll(acts, { timeout: hanging }).toHaveLength(1);
  db.close();
});
