import { writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type ContentField, content } from '../../../server/wire/content.ts';
import type { Message, RequestPayload } from '../../../server/wire/events.ts';
import { newClientId } from '../../helpers/chat-client.ts';
import { historyFolder } from '../../helpers/chat-server.ts';
import { author, mentionedUser, samples } from '../../helpers/content-samples.ts';
import { origin, upload } from '../../helpers/files.ts';
import { type JavaClient, nextJavaClient } from '../../helpers/java-client.ts';
import { exportOf, type PeopleSite, type Person, say, startPeopleSite } from '../../helpers/people.ts';

const kept = historyFolder();
let site: PeopleSite;
let ann: Person;
let ben: Person;
let moderator: Person;
/** Ben's app. */
let app: JavaClient;
beforeAll(async () => {
  const keyFile = `${kept.path}.key`;
  writeFileSync(keyFile, `whsec_${Buffer.alloc(24, 'c').toString('base64')}\n`);
  site = await startPeopleSite({
    CHAT_HISTORY: kept.url,
    CHAT_FILES: kept.files,
    CHAT_ORIGINS: origin,
    CHAT_CREATE_ROOMS: 'all',
    // No test requests a card.
    CHAT_CARDS_URL: 'http://127.0.0.1:9/',
    CHAT_WEBHOOK_KEY_FILE: keyFile,
    CHAT_HOLD_WORDS: 'casino',
  });
  ann = await site.person({ firstname: author.name }, author.id);
  ben = await site.person({ firstname: mentionedUser.name }, mentionedUser.id);
  moderator = await site.person({ roles: ['moderator'] });
  app = nextJavaClient();
  await app.ask('setCookie', { page: 'http://127.0.0.1/', value: ben.cookie.split('=')[1] });
  await app.ask('chat', { server: site.chat.url });
  await app.ask('start');
});
afterAll(async () => {
  await app.end();
  await site.close();
  kept.remove();
});

type SentPayload = RequestPayload<'message:send'>;
type Said = Record<string, unknown> & { id: string };

/** Returns the line with this ID in a file of the export of the author's data. */
async function exported(file: string, id: string): Promise<Said | undefined> {
  const lines = (await exportOf(site, author.id))[file]?.trimEnd().split('\n') ?? [];
  return lines.map((line) => JSON.parse(line) as Said).find((line) => line.id === id);
}

/** Without the preview, which the server removes once it cannot fetch the page: see previews.test.ts. */
const fields = (Object.keys(content) as ContentField[]).filter((field) => content[field].edit !== 'derived');

describe.each(fields)('the field %s', (field) => {
  const { sent, waiting, api } = content[field];
  let room: string;
  beforeAll(async () => {
    // Messages of the owner would not need approval.
    room = (await site.den(ben, [ann])).id;
    for (const user of [ann, ben]) await user.request('room:join', { room });
    await say(ben, room, 'first');
  });
  const newFile = async () => (await upload(site.chat.url, ann.cookie, 'cat', { room })).file.id;
  /** Returns the fields of a request. */
  const newPayload = async (): Promise<Record<'room' | ContentField, unknown>> => {
    const { shown, payload = { [field]: shown } } = samples[field](await newFile(), await newFile());
    return { room, clientId: newClientId(), text: 'hello', ...payload } as never;
  };
  const send = async (): Promise<Message> => {
    if (sent !== null) return (await ann.request('message:send', (await newPayload()) as never)).message;
    const copy = { room, from: { room, seq: 1 }, clientId: newClientId() };
    return (await ann.request('message:forward', copy)).message;
  };

  test('is in the message for the application, in the export and in a report', async () => {
    const message = await send();
    const { seq } = message;
    const value = message[field];
    expect(value).toBeDefined();
    expect((await site.api('GET', `/rooms/${room}/messages?seq=${seq}`)).body.message).toHaveProperty(
      field,
      value,
    );
    expect(await exported('messages.jsonl', message.id)).toHaveProperty(field, value);
    await ben.request('message:report', { room, seq, reason: 'other', text: 'look' });
    const { reports } = await moderator.request('report:list', {});
    expect(reports.find((report) => report.message.id === message.id)?.message).toHaveProperty(field, value);
  });

  test('is in the message of the Java client, which can store it', async () => {
    const { seq, [field]: value } = await send();
    await app.ask('open', { room });
    await expect.poll(async () => (await app.messages(room)).at(-1)?.seq).toBe(seq);
    expect(await app.ask('content', { seq })).toHaveProperty(field, value);
  });

  if (sent !== null) {
    test('is sent by the Java client', async () => {
      const { mentions = [], files, ...payload } = (await newPayload()) as unknown as SentPayload;
      await app.ask('open', { room });
      const upload = files && (await app.ask('upload', { room, name: 'cat.txt', size: 3 }));
      const before = (await ann.request('message:history', { room })).messages.length;
      await app.ask('send', {
        ...payload,
        mentions: mentions.map(({ user, start, length }) => ({ user, begin: start, end: start + length })),
        files: upload === undefined ? [] : [{ upload }],
      });
      await expect
        .poll(async () => (await ann.request('message:history', { room })).messages.slice(before))
        .toEqual([expect.objectContaining({ user: ben.ready.user, [field]: expect.anything() })]);
    });
  }

  if (sent !== null && waiting !== null) {
    test('is in the export while its message is scheduled or pending approval', async () => {
      const at = Date.now() + 3_600_000;
      const held = await newPayload();
      const said = {
        ...(await ann.request('scheduled:add', { ...(await newPayload()), at } as never)),
        ...(await ann.request('message:send', { ...held, text: `${held.text} casino` } as never)),
      } as unknown as Record<'scheduled' | 'held', Said>;
      for (const kind of ['scheduled', 'held'] as const) {
        const { id, [field]: value } = said[kind];
        expect(value, kind).toBeDefined();
        expect(await exported(`${kind}.jsonl`, id)).toHaveProperty(field, value);
      }
    });
  }

  test('is stored from the application, or rejected by its name', async () => {
    const { room: _, ...payload } = await newPayload();
    const { status, body } = await site.api('POST', `/rooms/${room}/messages`, { user: author, ...payload });
    if (!api) {
      return expect([status, body.error]).toEqual([
        400,
        expect.objectContaining({ message: expect.stringContaining(`"${field}"`) }),
      ]);
    }
    expect(status).toBe(201);
    expect(body.message).toHaveProperty(field, payload[field]);
  });
});
