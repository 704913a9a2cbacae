import { expect, onTestFinished, test } from 'vitest';
import { newClientId } from '../../helpers/chat-client.ts';
import { startPeopleSite } from '../../helpers/people.ts';

/** A site without mails, two of whose registered users have never connected. */
async function scene(settings: Record<string, string>) {
  const site = await startPeopleSite(settings);
  onTestFinished(() => site.close());
  const [ann, ben] = await site.people(2);
  await site.api('PUT', '/users', { users: [{ id: 'new', name: 'New' }] });
  const send = async (user: string) => {
    const { id: room } = (await ann.request('direct:open', { user })).room;
    await ann.request('room:join', { room });
    return ann.request('message:send', { room, text: 'hello', clientId: newClientId() });
  };
  return { site, ann, ben, send };
}

test('says that a direct message to a user who never connected causes no mail, until the user connects', async () => {
  const { site, ann, ben, send } = await scene({ CHAT_FIND_PEOPLE: 'all' });
  const answer = await send('new');
  expect(answer).toMatchObject({ unreached: true, message: { text: 'hello' } });
  const newcomer = await site.person({}, 'new');
  newcomer.close();
  expect(await send('new')).not.toHaveProperty('unreached');
  ben.close();
  expect(await send(ben.id)).not.toHaveProperty('unreached');
  ann.close();
});

test('does not say it about users whom the author may not find', async () => {
  const { ann, ben, send } = await scene({ CHAT_FIND_PEOPLE: 'rooms' });
  ben.close();
  for (const user of ['new', 'a user who does not exist', ben.id]) {
    expect(await send(user)).not.toHaveProperty('unreached');
  }
  ann.close();
});
