import { beforeEach, expect, test } from 'vitest';
import { actionsOf, ann, at, ben, callsOf, expectRefusal, message, type Now } from './history-tested.ts';

/** Tests files in every history. `now`: the current history, with the public rooms `lobby` and `garden`. */
export function filesContract(now: Now) {
  const { write, read } = callsOf(now);
  const { send, newest, create, join } = actionsOf(now);

  const about = (id: string) => ({
    id,
    name: `${id}.png`,
    type: 'image/png',
    size: 5,
    image: { width: 4, height: 3, blur: 'LEHV6nWB2yk8pyo0adR*.7kCMdnj' },
  });
  const add = (id: string, { user = ann, room = 'lobby', added = at } = {}) =>
    write.addFile({ room, user: user.id, file: about(id), at: added });
  const file = (id: string, user = ben) => read.file({ id, user: user.id });
  const doomed = async (before = 0, most = 100) => (await write.dropFiles({ before, most })).ids;
  const edit = (seq: number, files: { id: string; alt?: string }[], text = 'hello') =>
    write.edit({ room: 'lobby', seq, user: ann.id, text, files });
  beforeEach(() => join(ann, ben));

  test('attaches files of the author and room, in order, to one message only', async () => {
    for (const id of ['f1', 'f2', 'f3']) await add(id);
    await add('f4', { user: ben });
    await add('f5', { room: 'garden' });
    expect(await file('f1')).toMatchObject({
      file: { id: 'f1', user: ann.id, state: 'loose', at, about: about('f1') },
      room: { id: 'lobby' },
      member: { acted: 1 },
    });
    for (const id of ['f4', 'f5', 'f6']) {
      const files = [{ id: 'f1' }, { id }];
      await expectRefusal(send(message({ files })), 'unknown_file');
    }
    const sent = message({ text: '', files: [{ id: 'f2', alt: 'A cat' }, { id: 'f1' }] });
    const [first, again] = await Promise.all([send(sent), send(sent)]);
    expect(again).toEqual(first);
    const files = [{ ...about('f2'), alt: 'A cat' }, about('f1')];
    expect(first).toMatchObject({ seq: 1, text: '', files });
    expect((await read.room({ room: 'lobby' }))?.last).toEqual(first);
    await now().reload();
    expect((await newest('lobby', 1)).messages).toEqual([first]);
    expect(await file('f2')).toMatchObject({ file: { state: 'carried', seq: 1 } });
    expect(await now().history.probe.send(sent)).toMatchObject({ repeated: true });
    for (const others of [[], [{ id: 'f1' }, { id: 'f2' }], [{ id: 'f2' }]]) {
      const wrong = { ...sent, files: others };
      await expectRefusal(write.send(wrong), 'conflict');
    }
    await expectRefusal(send(message({ files: [{ id: 'f1' }] })), 'unknown_file');
  });

  test('shares the bytes of files between a message and its forwarded copies', async () => {
    for (const id of ['f1', 'f2']) await add(id);
    await send(message({ text: 'words', files: [{ id: 'f1', alt: 'A cat' }, { id: 'f2' }] }));
    const forward = { room: 'garden', from: { room: 'lobby', seq: 1 }, user: ben, sentAt: at };
    const copyTo = (clientId: string, more = {}) =>
      write.forward({ ...forward, ...more, clientId, asMember: false });
    const [one, again] = await Promise.all([copyTo('a'), copyTo('a')]);
    expect(again).toEqual({ message: one.message, repeated: true });
    const [first, second] = one.message.files ?? [];
    expect(one.message).toMatchObject({
      room: 'garden',
      user: ben,
      text: 'words',
      files: [
        { ...about('f1'), id: expect.stringMatching(/^[0-9a-f]{32}$/), alt: 'A cat' },
        { ...about('f2'), id: expect.stringMatching(/^[0-9a-f]{32}$/) },
      ],
      forwarded: { user: ann, shown: true },
    });
    expect(await file(first?.id as string)).toMatchObject({
      file: { user: ben.id, state: 'carried', seq: one.message.seq, stored: 'f1' },
      room: { id: 'garden' },
    });
    const from = { room: 'garden', seq: one.message.seq };
    await write.join({ room: 'garden', user: ben });
    await expectRefusal(copyTo('a', { from }), 'conflict');
    await expectRefusal(write.edit({ room: 'garden', seq: from.seq, user: ben.id, text: 'x' }), 'forbidden');
    const third = (await copyTo('b', { from })).message;
    expect(third.forwarded).toEqual(one.message.forwarded);
    const deleteIn = (room: string, seq: number, user: string) => write.delete({ room, seq, user });
    const dropped = () => write.dropFiles({ before: 0, most: 100 });
    await deleteIn('lobby', 1, ann.id);
    expect(await dropped()).toEqual({ ids: ['f1', 'f2'], stored: [] });
    await write.forgetFiles({ ids: ['f1', 'f2'] });
    await expectRefusal(copyTo('c'), 'unknown_message');
    await now().reload();
    await deleteIn('garden', from.seq, ben.id);
    expect(await dropped()).toEqual({ ids: [first?.id, second?.id].sort(), stored: [] });
    // The bytes are dropped with the last files, even if other rows remain.
    await deleteIn('garden', third.seq, ben.id);
    const last = await dropped();
    expect(last.ids).toHaveLength(4);
    expect(last.stored.sort()).toEqual(['f1', 'f2']);
    expect((await dropped()).stored.sort()).toEqual(['f1', 'f2']);
  });

  test('replaces the files on an edit only if it lists files', async () => {
    for (const id of ['f1', 'f2', 'f3']) await add(id);
    await send(message({ files: [{ id: 'f1' }, { id: 'f2' }] }));
    const { files: _, ...plain } = { room: 'lobby', seq: 1, user: ann.id, text: 'new', at, files: [] };
    expect((await write.edit(plain)).message.files).toEqual([about('f1'), about('f2')]);
    const same = await edit(1, [{ id: 'f1' }, { id: 'f2' }], 'new');
    expect(same.message.rev).toBe(2);
    const { message: changed } = await edit(1, [{ id: 'f3' }, { id: 'f2', alt: 'Two' }], 'new');
    expect(changed).toMatchObject({ rev: 3, files: [about('f3'), { ...about('f2'), alt: 'Two' }] });
    expect(await file('f1')).toMatchObject({ file: { state: 'loose', seq: 1 } });
    // The file stays reserved for its first message.
    await expectRefusal(send(message({ files: [{ id: 'f1' }] })), 'unknown_file');
    await expectRefusal(edit(1, [{ id: 'f9' }]), 'unknown_file');
    expect((await edit(1, [{ id: 'f1' }], '')).message).toMatchObject({ text: '', files: [about('f1')] });
    await expectRefusal(edit(1, [], ' '), 'bad_request');
    expect((await edit(1, [], 'text')).message).not.toHaveProperty('files', expect.anything());
    expect((await newest('lobby', 1)).messages[0]).not.toHaveProperty('files', expect.anything());
  });

  test('hides files of a deleted message immediately and drops them later', async () => {
    for (const id of ['f1', 'f2', 'f3']) await add(id);
    await send(message({ files: [{ id: 'f1' }, { id: 'f2' }] }));
    const { message: deleted } = await write.delete({ room: 'lobby', seq: 1, user: ann.id });
    expect(deleted).not.toHaveProperty('files', expect.anything());
    expect(await file('f1', ann)).toBeNull();
    await expectRefusal(send(message({ files: [{ id: 'f2' }] })), 'unknown_file');
    await now().reload();
    expect(await doomed(0, 1)).toEqual(['f1']);
    expect(await doomed()).toEqual(['f1', 'f2']);
    await write.forgetFiles({ ids: ['f1', 'f2'] });
    expect(await doomed()).toEqual([]);
    expect(await file('f3')).not.toBeNull();
  });

  test('drops a file without a message after a while', async () => {
    for (const id of ['old', 'sent', 'kept']) await add(id, { added: at });
    await add('young', { added: at + 10 });
    // These calls share one transaction in this order.
    const [, ids, late] = await Promise.allSettled([
      send(message({ files: [{ id: 'sent' }] })),
      doomed(at + 5),
      send(message({ files: [{ id: 'old' }] })),
    ]);
    expect(ids).toMatchObject({ value: ['kept', 'old'] });
    expect(late).toMatchObject({ status: 'rejected', reason: { code: 'unknown_file' } });
    expect(await file('old', ann)).toBeNull();
    await edit(1, []);
    expect(await doomed(at + 5)).toEqual(['kept', 'old', 'sent']);
    expect(await file('young', ann)).not.toBeNull();
  });

  test('drops files of a deleted room', async () => {
    const { id: room } = await create();
    await add('f1', { room });
    await add('f2', { room });
    await send(message({ room, files: [{ id: 'f1' }] }));
    await write.deleteRoom({ room });
    // Messages are deleted step by step, and their files with them.
    await expect.poll(() => doomed()).toEqual(['f1', 'f2']);
    expect(await file('f1', ann)).toBeNull();
    await expectRefusal(add('f3', { room }), 'unknown_room');
  });

  const addPicture = (id: string, { user = ann, room = 'lobby' } = {}) =>
    write.addFile({ room, user: user.id, file: { ...about(id), isPicture: true } });
  const setPicture = (picture: string, room = 'lobby', actor = ann.id) =>
    write.updateRoom({ room, picture, actor });

  test('keeps the picture of a room until it is replaced, removed or deleted with the room', async () => {
    for (const id of ['p1', 'p2', 'p3', 'p4']) await addPicture(id);
    expect((await setPicture('p1')).room.settings).toEqual({ picture: 'p1' });
    expect(now().changes.at(-1)).toMatchObject({ type: 'room', room: { settings: { picture: 'p1' } } });
    await write.updateRoom({ room: 'lobby', emoji: '🧪' });
    await now().reload();
    expect((await read.room({ room: 'lobby' }))?.settings).toEqual({ emoji: '🧪', picture: 'p1' });
    expect(await read.picturesBy({ user: ann.id })).toEqual([{ room: 'lobby', id: 'p1', name: 'p1.png' }]);
    expect(await read.picturesBy({ user: ben.id })).toEqual([]);

    // Neither the retention of messages nor the collection of orphaned files deletes the picture.
    await send(message());
    await write.expire({ room: 'lobby', firstSeq: 2 });
    expect(await doomed(at)).toEqual([]);
    expect(await file('p1')).toMatchObject({ file: { state: 'carried' } });
    expect((await setPicture('p1')).room.settings).toMatchObject({ picture: 'p1' });

    expect((await setPicture('p2')).room.settings).toMatchObject({ picture: 'p2' });
    expect(await file('p1', ann)).toBeNull();
    expect(await doomed(0)).toEqual(['p1']);
    await expectRefusal(setPicture('p1'), 'unknown_file');
    // These calls share one transaction in this order.
    await Promise.all([setPicture('p3'), setPicture('p4')]);
    expect((await read.room({ room: 'lobby' }))?.settings).toMatchObject({ picture: 'p4' });
    expect(await doomed(0)).toEqual(['p1', 'p2', 'p3']);
    expect((await setPicture('')).room.settings).toEqual({ emoji: '🧪' });
    expect(await doomed(0)).toEqual(['p1', 'p2', 'p3', 'p4']);

    const { id: room } = await create();
    await addPicture('p5', { room });
    await setPicture('p5', room);
    await write.deleteRoom({ room });
    expect(await file('p5', ann)).toBeNull();
    expect(await read.picturesBy({ user: ann.id })).toEqual([]);
    await expect.poll(() => doomed(0)).toContain('p5');
  });

  test('accepts as a picture only a file that the user uploaded as the picture of that room', async () => {
    await add('f1');
    await addPicture('p1');
    await addPicture('p2', { user: ben });
    await addPicture('p3', { room: 'garden' });
    for (const picture of ['f1', 'p2', 'p3', 'p9'])
      await expectRefusal(
        write.updateRoom({ room: 'lobby', picture, slow: 9, actor: ann.id }),
        'unknown_file',
      );
    await expectRefusal(write.updateRoom({ room: 'lobby', picture: 'p1' }), 'unknown_file');
    expect((await read.room({ room: 'lobby' }))?.settings).toEqual({});
    await expectRefusal(send(message({ files: [{ id: 'p1' }] })), 'unknown_file');
    await setPicture('p1');
    await expectRefusal(send(message({ files: [{ id: 'p1' }] })), 'unknown_file');
    await write.erase({ user: ben.id });
    await expectRefusal(setPicture('p2', 'lobby', ben.id), 'forbidden');
  });

  test('drops files of an expired message', async () => {
    for (const id of ['f1', 'f2', 'f3']) await add(id);
    await send(message({ files: [{ id: 'f1' }] }));
    await send(message({ files: [{ id: 'f2' }] }));
    await write.expire({ room: 'lobby', firstSeq: 2 });
    expect(await file('f1', ann)).toBeNull();
    expect(await file('f2')).not.toBeNull();
    await expect.poll(() => doomed()).toEqual(['f1']);
  });
}
