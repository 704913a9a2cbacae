import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { newClientId } from '../helpers/chat-client.ts';
import { type JavaRoom, nextJavaClient } from '../helpers/java-client.ts';
import { type PeopleSite, startPeopleSite } from '../helpers/people.ts';

let site: PeopleSite;
beforeAll(async () => {
  site = await startPeopleSite({ CHAT_TEAM: 'ida,joe', CHAT_TEAM_TEXT: 'We answer from 9 to 5' });
});
afterAll(() => site.close());

async function start(id: string) {
  const person = await site.person({}, id);
  onTestFinished(() => person.close());
  const app = nextJavaClient();
  onTestFinished(() => app.end());
  await app.ask('setCookie', { page: 'http://127.0.0.1/', value: person.cookie.split('=')[1] });
  await app.ask('chat', { server: site.chat.url });
  await app.ask('start');
  return { app, person, me: await app.isTold('identity') };
}
type Asked = JavaRoom & { question: object };

test('a visitor asks the team, whose members take and close the question', async () => {
  const [ida, joe, ann] = [await start('ida'), await start('joe'), await start('ann')];
  expect([ida.me, ann.me].map(({ roles, can }) => [roles, (can as { ask: boolean }).ask])).toEqual([
    [['TEAM'], false],
    [[], true],
  ]);
  const team = await ann.app.ask<{ members: string[] }>('team');
  expect(team).toMatchObject({ answeredInMs: 0, text: 'We answer from 9 to 5' });
  expect(team.members.sort()).toEqual(['ida', 'joe']);

  const asked = { text: 'Where is my order?', clientId: newClientId() };
  const question = await ann.app.ask<Asked>('askTeam', asked);
  expect(question).toMatchObject({
    ...{ name: 'Where is my order?', kind: 'PRIVATE', question: { state: 'OPEN', asker: 'ann' } },
  });
  expect(await ann.app.ask('askTeam', asked)).toMatchObject({ id: question.id });
  const room = { room: question.id };
  await ann.app.ask('open', room);
  expect(await ann.app.messages(question.id)).toMatchObject([{ text: 'Where is my order?' }]);

  const shown = {
    ...room,
    name: 'Where is my order?',
    asker: 'ann',
    opened: true,
    last: 'Where is my order?',
  };
  expect((await joe.app.isTold('question')).question).toMatchObject({ ...shown, state: 'OPEN', waits: true });
  expect(await ida.app.ask('openQuestion', room)).toMatchObject({ waits: true, answered: false });
  expect(await ida.app.ask('takeQuestion', room)).toMatchObject({ ...shown, by: 'ida', waits: true });
  await expect(joe.app.ask('takeQuestion', room)).rejects.toMatchObject({ code: 'conflict' });
  await ida.app.isTold('rooms', ({ rooms }) =>
    (rooms as Asked[]).some(({ id, question }) => id === room.room && 'by' in question),
  );

  await ida.app.ask('open', room);
  await ida.app.ask('send', { ...room, text: 'On its way' });
  const isAnswered = (told: object) => 'answered' in told && told.answered === true;
  const answered = await joe.app.isTold('question', ({ question }) => isAnswered(question as object));
  expect(answered.question).toMatchObject({ by: 'ida', waits: false, last: 'On its way' });
  expect(await ida.app.ask('closeQuestion', room)).toMatchObject({ state: 'CLOSED', closed: true });
  await expect(ann.app.ask('closeQuestion', room)).rejects.toMatchObject({ code: 'forbidden' });
});
