import { randomUUID } from 'node:crypto';
import { mostSnippets, type StoredNote } from '../../history/history.ts';
import { RequestError } from '../../wire/errors.ts';
import type { Answers, Note, RequestPayload } from '../../wire/events.ts';
import type { Chat } from '../chat.ts';
import { type Connection, userOf } from '../model.ts';
import { teamName } from './team.ts';

export const toNote = ({ id, room, after, user, name, text, at }: StoredNote): Note => ({
  ...{ id, room, after, text, at },
  user: { id: user, name },
});

export async function addNote(
  { history }: Chat,
  connection: Connection,
  { question: room, text, clientId }: RequestPayload<'question:note'>,
): Promise<Answers['question:note']> {
  const { id: user, name } = userOf(connection);
  const { note } = await history.write.addNote(
    { room, team: teamName, id: randomUUID(), user, name, clientId, text, at: Date.now() },
    connection.id,
  );
  return { note: toNote(note) };
}

export async function removeNote(
  { history }: Chat,
  { id: connection, person }: Connection,
  { question: room, id }: RequestPayload<'question:unnote'>,
): Promise<Answers['question:unnote']> {
  await history.write.removeNote({ room, id, user: person.user.id, team: teamName }, connection);
  return {};
}

export async function listSnippets({ history }: Chat): Promise<Answers['question:snippets']> {
  const stored = await history.read.snippets({ team: teamName });
  return { snippets: stored.map(({ name, text }) => ({ name, text })) };
}

export async function setSnippet(
  chat: Chat,
  { name, text }: RequestPayload<'question:snippet'>,
): Promise<Answers['question:snippet']> {
  try {
    await chat.history.write.setSnippet({ team: teamName, name, text, at: Date.now() });
  } catch (error) {
    if (error instanceof RequestError && error.code === 'limit_reached')
      throw new RequestError('limit_reached', `a team can have ${mostSnippets} snippets: delete one first`);
    throw error;
  }
  return listSnippets(chat);
}
