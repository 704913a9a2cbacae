import { expect, test } from 'vitest';
import type { Writes } from '../../server/history/history.ts';
import { type ContentField, content } from '../../server/wire/content.ts';
import { aboutFile, author, link, mentionedUser, previewTitle, samples } from '../helpers/content-samples.ts';
import { carryOutErasures } from '../helpers/erasures.ts';
import { at, callsOf, expectRefusal, type Now } from './history-tested.ts';

const room = 'lobby';
let n = 0;

type Sample = ReturnType<(typeof samples)[ContentField]>;

/** Tests in every history that each field of a message's content follows its declaration. */
export function contentContract(now: Now) {
  const { write, read } = callsOf(now);
  const newFile = async () => {
    const id = `file-${n++}`;
    await write.addFile({ room, user: author.id, file: { id, ...aboutFile } });
    return id;
  };
  const stored = async (seq: number) => {
    await now().reload();
    const [message] = await read.messages({ places: [{ room, seq }] });
    if (message === undefined) throw new Error('the message is not stored');
    return message;
  };
  const newForward = (seq: number, user: typeof author) => ({
    ...{ room, from: { room, seq }, user, clientId: `f${n++}`, sentAt: at, asMember: true },
  });
  const forward = async (seq: number, user = mentionedUser) =>
    (await write.forward(newForward(seq, user))).message;
  const approve = async ({ id }: { id: string }) => {
    const decision = { room, id, user: author.id, by: mentionedUser.id, siteModerator: true, at };
    return (await write.approvePending(decision)).message;
  };

  for (const field of Object.keys(content) as ContentField[]) {
    const { sent, waiting, edit, forward: copies, repeats, deleted, erased } = content[field];
    const newSample = async (): Promise<Sample> => samples[field](await newFile(), await newFile());
    /** Returns the input of a new message with the field. */
    const inputOf = ({ sent }: Sample): Writes['send']['in'] => ({
      ...{ room, clientId: `c${n++}`, user: author, text: 'hello', sentAt: at, asMember: true },
      ...sent,
    });
    const begin = async () => {
      for (const user of [author, mentionedUser]) {
        await write.arrive({ user });
        await write.join({ room, user });
        await write.send({ ...inputOf({ shown: undefined, moderators: null }), text: 'first', user });
      }
    };
    /** Stores a message with the field. */
    const send = async () => {
      const sample = await newSample();
      if (sample.sent === undefined) return { sample, message: await forward(2, author) };
      return { sample, message: (await write.send(inputOf(sample))).message };
    };
    const isAfterEdit = { replaced: 'edited', kept: 'shown', derived: undefined, fixed: undefined } as const;
    /** Returns the expected field after the edit of `editOf`. */
    const afterEdit = (sample: Sample) => {
      const key = isAfterEdit[edit];
      return key && sample[key];
    };
    const editOf = (sample: Sample) => ({
      text: sample.edit === undefined ? 'edited' : 'hello',
      ...sample.edit,
    });

    test(`stores ${field}, and finds a repeat of its message`, async () => {
      await begin();
      const { sample, message } = await send();
      expect(message[field]).toEqual(sample.shown);
      expect((await stored(message.seq))[field]).toEqual(sample.shown);
      if (sample.sent === undefined) return;
      const input = { ...inputOf(sample), clientId: message.clientId };
      expect(await write.send({ ...input, sentAt: at + 1 })).toMatchObject({ repeated: true });
      const other = write.send({ ...input, [field]: undefined, ...sample.other });
      if (repeats) await expectRefusal(other, 'conflict');
      else expect(await other).toMatchObject({ repeated: true });
    });

    test(`edits a message with ${field}`, async () => {
      await begin();
      const { sample, message } = await send();
      const change = { room, seq: message.seq, user: author.id, ...editOf(sample), at };
      if (edit === 'fixed') {
        await expectRefusal(write.edit(change), 'forbidden');
        return expectRefusal(write.holdEdit({ ...change, why: 'all' }), 'forbidden');
      }
      const held = await write.holdEdit({ ...change, why: 'all' });
      if (!('held' in held)) throw new Error('the edit is not pending');
      expect((await stored(message.seq))[field]).toEqual(sample.shown);
      await approve(held.held);
      expect((await stored(message.seq))[field], 'approved').toEqual(afterEdit(sample));
      const next = await send();
      await write.edit({ ...change, ...editOf(next.sample), seq: next.message.seq });
      expect((await stored(next.message.seq))[field], 'edited').toEqual(afterEdit(next.sample));
    });

    if (sent !== null) {
      test(`keeps ${field} while its message is pending approval, or refuses to`, async () => {
        await begin();
        const sample = await newSample();
        const held = write.hold({ ...inputOf(sample), why: 'all' });
        if (waiting === null) return expectRefusal(held, 'forbidden');
        const result = await held;
        if (!('held' in result)) throw new Error('the message is not pending');
        await now().reload();
        const { id } = result.held;
        const pending = await read.pendingMessage({ id });
        expect(pending?.content).toHaveProperty(field, sample.waiting ?? sample.shown);
        // Only a fetched page is published.
        const page = { title: previewTitle };
        const { changed } = await write.pendingPreview({ room, id, url: link, page, at });
        const { seq } = await approve({ id });
        const published = field === 'preview' ? { url: link, ...page } : sample.shown;
        expect(changed).toBe(field === 'preview');
        expect((await stored(seq))[field]).toEqual(published);
      });

      test(`keeps ${field} while its message is scheduled, or refuses to`, async () => {
        await begin();
        const sample = await newSample();
        const schedule = async (sample: Sample, edited?: object) => {
          const later = await write.schedule({ ...inputOf(sample), due: at, most: 9 });
          if (!('scheduled' in later)) throw new Error('the message is not scheduled');
          const place = { room, id: later.scheduled.id, user: author.id, at };
          if (edited !== undefined) await write.reschedule({ ...place, ...edited });
          await now().reload();
          const scheduled = await read.scheduledMessage({ id: place.id });
          const how = { rev: scheduled?.rev ?? 0, why: null, siteModerator: false, now: true };
          const result = await write.sendScheduled({ ...place, ...how });
          if (!('message' in result)) throw new Error('the message is not sent');
          return [scheduled?.content[field as 'text'], (await stored(result.message.seq))[field]];
        };
        if (waiting === null) return expectRefusal(schedule(sample), 'forbidden');
        expect(await schedule(sample)).toEqual([sample.waiting ?? sample.shown, sample.shown]);
        const next = await newSample();
        const [, edited] = await schedule(next, editOf(next));
        expect(edited, 'edited').toEqual(afterEdit(next));
      });
    }

    test(`treats ${field} in a copy, a deleted message and after an erasure as declared`, async () => {
      await begin();
      const { sample, message } = await send();
      const copy = await stored((await forward(message.seq)).seq);
      const copied = field === 'files' ? [{ ...aboutFile, alt: 'a cat' }] : sample.shown;
      if (copies === 'copied') expect(copy).toMatchObject({ [field]: copied });
      else if (copies === 'dropped') expect(copy[field]).toBeUndefined();
      else expect(copy[field]).toBeDefined();
      const gone = field === 'text' ? '' : undefined;

      const second = await send();
      const deletion = { room, seq: second.message.seq, user: author.id };
      const kept = deleted === 'kept' ? second.sample.shown : gone;
      expect((await write.delete(deletion)).message[field], 'deleted').toEqual(kept);
      expect((await stored(deletion.seq))[field], 'deleted').toEqual(kept);

      await write.erase({ user: author.id });
      await carryOutErasures(now().history, 'one', at);
      const left = erased === 'kept' ? sample.shown : gone;
      expect((await stored(message.seq))[field], 'erased').toEqual(left);
      if (copies === 'copied') {
        if (erased === 'kept') expect(await stored(copy.seq), 'copy').toMatchObject({ [field]: copied });
        else expect((await stored(copy.seq))[field], 'copy').toEqual(gone);
      }
    });
  }
}
