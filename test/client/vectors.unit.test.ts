import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { entries, type Unsent } from '../../client/src/store/entries.ts';
import { Timeline } from '../../client/src/store/timeline.ts';
import { long, type ShortMessage, type Step, short, type Vector } from './vectors.ts';

const read = <T>(name: string): T =>
  JSON.parse(readFileSync(new URL(`../vectors/${name}.json`, import.meta.url), 'utf8')) as T;

const lengthened = <A extends { messages: ShortMessage[] }>(answer: A) => ({
  ...answer,
  messages: answer.messages.map(long),
});

function perform(timeline: Timeline, step: Step, epochs: Map<number, number>): void {
  switch (step.do) {
    case 'join':
      return expect(timeline.join() ?? null).toBe(step.since);
    case 'joined':
      return timeline.joined(lengthened(step.answer), step.since ?? undefined);
    case 'event':
      return timeline.live(long(step.message), '1');
    case 'reacted':
      return timeline.live(step.event, step.me);
    case 'ack':
      return timeline.stored(long(step.message));
    case 'synced':
      return timeline.synced(lengthened(step.answer), step.since);
    case 'ask':
      return void epochs.set(step.id, timeline.epoch);
    case 'older':
      return timeline.older(lengthened(step.answer), step.before, epochs.get(step.asked) ?? -1);
    case 'newer':
      return timeline.newer(lengthened(step.answer), epochs.get(step.asked) ?? -1);
    case 'window':
      return timeline.window(lengthened(step.answer), epochs.get(step.asked) ?? -1);
    case 'quoted':
      return timeline.quoted(long(step.message), epochs.get(step.asked) ?? -1);
    case 'toEnd':
      return timeline.toEnd();
    case 'trim':
      return timeline.trim(step.kept);
    case 'reset':
      return void timeline.join();
    case 'expire':
      return timeline.expire(step.firstSeq);
    case 'expect':
      expect(timeline.list().map(short)).toEqual(step.list);
      expect(timeline.head ?? null).toBe(step.head);
      expect(timeline.syncFrom ?? null).toBe(step.syncFrom);
      expect(timeline.attached).toBe(step.attached);
      if (step.complete !== undefined) expect(timeline.complete).toBe(step.complete);
  }
}

describe.each(['timeline', 'timeline-recorded'])('test/vectors/%s.json', (file) => {
  test.each(read<Vector[]>(file).map(({ name, steps }) => [name, steps] as const))('%s', (_, steps) => {
    const timeline = new Timeline();
    const epochs = new Map<number, number>();
    for (const step of steps) perform(timeline, step, epochs);
  });
});

interface Shown {
  name: string;
  me: string;
  stored: ShortMessage[];
  unsent: Unsent[];
  list: { user: string; clientId: string; text: string; unsent: boolean }[];
}

describe('test/vectors/unsent.json', () => {
  test.each(read<Shown[]>('unsent').map((shown) => [shown.name, shown] as const))('%s', (_, shown) => {
    const list = entries(shown.stored.map(long), shown.unsent, { id: shown.me, name: 'Me' });
    expect(
      list.map(({ user, message, unsent, text }) => ({
        user: user.id,
        clientId: message?.clientId ?? unsent?.clientId,
        text,
        unsent: unsent !== undefined,
      })),
    ).toEqual(shown.list);
    expect(new Set(list.map(({ key }) => key)).size).toBe(list.length);
  });
});
