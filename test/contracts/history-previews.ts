import { expect, test } from 'vitest';
import type { NewMessage, Writes } from '../../server/history/history.ts';
import { at, callsOf, expectRefusal, type Now } from './history-tested.ts';

const [ann, ben] = [
  { id: '1', name: 'Ann' },
  { id: '2', name: 'Ben' },
];
const room = 'lobby';
const url = 'https://garden.example/spring';
const text = `Look: ${url}`;
let n = 0;

/** Tests link previews in every history. */
export function previewsContract(now: Now) {
  const { write, read } = callsOf(now);
  const begin = async () => {
    for (const user of [ann, ben]) await write.join({ room, user });
  };
  const send = async (over: Partial<NewMessage> = {}) => {
    const message = { room, user: ann, text, preview: url, clientId: `p${n++}`, sentAt: at, ...over };
    return (await write.send({ ...message, asMember: true })).message;
  };
  const fill = (seq: number, page?: Writes['preview']['in']['page']) =>
    write.preview({ room, seq, url, page, at });
  const edit = async (seq: number, over: Partial<Writes['edit']['in']>) =>
    (await write.edit({ room, seq, user: ann.id, text, at, ...over })).message;
  const remove = (seq: number, user = ann.id, moderator = false, over = {}) =>
    write.removePreview({ room, seq, user, moderator, at, ...over });
  const shown = async (seq: number) => {
    const page = await read.newest({ room, upTo: seq, limit: 1 });
    return page.messages[0]?.preview;
  };
  const picture = async (id: string) => {
    const image = { width: 4, height: 3, blur: 'L' };
    const file = { id, name: 'preview.webp', type: 'image/webp', size: 5, image };
    await write.addFile({ room, user: ann.id, file });
    return { id, width: 4, height: 3 };
  };
  const stateOf = async (id: string) => (await read.file({ id, user: ben.id }))?.file.state;

  test('attaches the page of a link to its message without causing edit conflicts', async () => {
    await begin();
    const sent = await send();
    expect(sent.preview).toEqual({ url });
    const page = { title: 'Spring', description: 'Seeds', image: await picture('p1') };
    expect(await fill(sent.seq, page)).toEqual({ changed: true });
    expect(await shown(sent.seq)).toEqual({ url, ...page });
    expect(await stateOf('p1')).toBe('carried');
    // A second result is ignored.
    expect(await fill(sent.seq)).toEqual({ changed: false });
    // The author edits the message without having seen its preview.
    const edited = await edit(sent.seq, { text: `${text}!`, rev: sent.rev, preview: url });
    expect(edited.preview).toEqual({ url, ...page });
    await now().reload();
    expect(await shown(sent.seq)).toEqual({ url, ...page });
  });

  test('removes failed previews, and previews of replaced links and deleted messages', async () => {
    await begin();
    const [failed, other, gone] = [await send(), await send(), await send()];
    await fill(failed.seq);
    expect(await shown(failed.seq)).toBeUndefined();
    await fill(other.seq, { title: 'Old', image: await picture('p2') });
    const edited = await edit(other.seq, { text: 'https://b.example', preview: 'https://b.example/' });
    expect(edited.preview).toEqual({ url: 'https://b.example/' });
    // The page of the old link arrives late.
    expect(await fill(other.seq, { title: 'Old', image: await picture('late') })).toEqual({ changed: false });
    await fill(gone.seq, { title: 'Old', image: await picture('p3') });
    await write.delete({ room, seq: gone.seq, user: ann.id });
    expect(await shown(gone.seq)).toBeUndefined();
    const { ids } = await write.dropFiles({ before: 0, most: 10 });
    expect(ids.sort()).toEqual(['late', 'p2', 'p3']);
  });

  test('does not restore a removed preview on an edit with the same link', async () => {
    await begin();
    const { seq } = await send();
    await fill(seq, { title: 'Spring', image: await picture('p4') });
    // Another server may have removed the moderator role.
    for (const claims of [false, true]) await expectRefusal(remove(seq, ben.id, claims), 'forbidden');
    expect((await remove(seq)).message.preview).toBeUndefined();
    // Removing it again, even as a moderator, is a no-op.
    const { rev } = (await remove(seq)).message;
    expect((await remove(seq, ben.id, true, { siteModerator: true })).message.rev).toBe(rev);
    expect((await edit(seq, { text: `${text} again`, preview: url })).preview).toBeUndefined();
    expect((await write.dropFiles({ before: 0, most: 10 })).ids).toEqual(['p4']);
    await expectRefusal(remove(99), 'unknown_message');
  });

  test('omits previews if the room disables them or a direct user has not agreed', async () => {
    await begin();
    const waits = await send();
    await write.updateRoom({ room, previews: 'off', actor: ann.id });
    expect((await send()).preview).toBeUndefined();
    await fill(waits.seq, { title: 'Late' });
    expect(await shown(waits.seq)).toBeUndefined();
    const direct = await write.openDirect({ id: 'd', by: ann, other: ben.id });
    const inDirect = async () => (await send({ room: direct.room.id })).preview !== undefined;
    const want = (user: string, previews: 'on' | 'off') =>
      write.setPreviews({ room: direct.room.id, user, previews });
    const seen = [await inDirect()];
    for (const [user, previews] of [
      [ann.id, 'on'],
      [ann.id, 'on'],
      [ben.id, 'on'],
      [ann.id, 'off'],
      [ann.id, 'on'],
      [ben.id, 'off'],
    ] as const) {
      await want(user, previews);
      seen.push(await inDirect());
    }
    expect(seen).toEqual([false, false, false, true, false, true, false]);
    await expectRefusal(want('somebody', 'on'), 'forbidden');
    await expectRefusal(write.setPreviews({ room, user: ann.id, previews: 'on' }), 'forbidden');
  });
}
