/**
 * Records test vectors from random runs of the room model: everything that the client receives and then
 * shows. Run with `node test/client/record-vectors.ts`.
 */
import { writeFileSync } from 'node:fs';
import fc from 'fast-check';
import type { Reacted } from '../../client/src/store/reactions.ts';
import { Timeline } from '../../client/src/store/timeline.ts';
import type { Message } from '../../server/wire/events.ts';
import { Client, Log } from './room-model.ts';
import { perform, settle, step } from './room-steps.ts';
import { type Step, short, type Vector } from './vectors.ts';

const RUNS = 260;
const SEED = 14;

const shortened = <A extends { messages: Message[] }>(answer: A) => ({
  ...answer,
  messages: answer.messages.map(short),
});

class Recorder extends Timeline {
  readonly steps: Step[] = [];
  /** The ID of the request sent at each epoch of the list. */
  readonly #asked = new Map<number, number>();

  override get epoch(): number {
    const epoch = super.epoch;
    const id = this.#asked.size;
    if (!this.#asked.has(epoch)) {
      this.#asked.set(epoch, id);
      this.steps.push({ do: 'ask', id });
    }
    return epoch;
  }

  override join() {
    const since = super.join();
    this.steps.push({ do: 'join', since: since ?? null });
    return since;
  }

  override joined(...[answer, since]: Parameters<Timeline['joined']>) {
    this.steps.push({ do: 'joined', since: since ?? null, answer: shortened(answer) });
    super.joined(answer, since);
  }

  override synced(...[answer, since]: Parameters<Timeline['synced']>) {
    this.steps.push({ do: 'synced', since, answer: shortened(answer) });
    super.synced(answer, since);
  }

  override live(change: Message | Reacted, me: string) {
    if ('changes' in change) this.steps.push({ do: 'reacted', event: change, me });
    else this.steps.push({ do: 'event', message: short(change) });
    super.live(change, me);
  }

  override stored(message: Message) {
    this.steps.push({ do: 'ack', message: short(message) });
    super.stored(message);
  }

  override older(...[answer, before, epoch]: Parameters<Timeline['older']>) {
    this.steps.push({ do: 'older', before, asked: this.#askedAt(epoch), answer: shortened(answer) });
    super.older(answer, before, epoch);
  }

  override newer(...[answer, epoch]: Parameters<Timeline['newer']>) {
    this.steps.push({ do: 'newer', asked: this.#askedAt(epoch), answer: shortened(answer) });
    super.newer(answer, epoch);
  }

  override window(...[answer, epoch]: Parameters<Timeline['window']>) {
    this.steps.push({ do: 'window', asked: this.#askedAt(epoch), answer: shortened(answer) });
    super.window(answer, epoch);
  }

  override quoted(...[message, epoch]: Parameters<Timeline['quoted']>) {
    this.steps.push({ do: 'quoted', asked: this.#askedAt(epoch), message: short(message) });
    super.quoted(message, epoch);
  }

  override toEnd() {
    this.steps.push({ do: 'toEnd' });
    super.toEnd();
  }

  override trim(kept?: number) {
    this.steps.push({ do: 'trim', kept: kept ?? 2000 });
    super.trim(kept);
  }

  expect() {
    this.steps.push({
      do: 'expect',
      list: this.list().map(short),
      head: this.head ?? null,
      syncFrom: this.syncFrom ?? null,
      attached: this.attached,
    });
  }

  #askedAt(epoch: number): number {
    return this.#asked.get(epoch) ?? -1;
  }
}

const runs = fc.sample(fc.array(step, { minLength: 10, maxLength: 40, size: 'max' }), {
  numRuns: RUNS,
  seed: SEED,
});
const vectors = runs.map((run, index): Vector => {
  const log = new Log();
  const recorder = new Recorder();
  const client = new Client(log, recorder);
  const count = { n: 0 };
  for (const [at, step] of run.entries()) {
    perform(log, client, step, count);
    if (at % 8 === 7) recorder.expect();
  }
  client.connect(4);
  settle(client);
  recorder.expect();
  return { name: `run ${index + 1}`, steps: recorder.steps };
});
/** Skips runs in which only joins are answered. */
const telling = /^(event|reacted|ack|synced|older|newer|window|quoted)$/;
const lines = vectors
  .filter(({ steps }) => steps.some((step) => telling.test(step.do)))
  .map((vector) => JSON.stringify(vector));
writeFileSync(new URL('../vectors/timeline-recorded.json', import.meta.url), `[\n${lines.join(',\n')}\n]\n`);
