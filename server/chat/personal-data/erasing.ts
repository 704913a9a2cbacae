import type { Consumer } from '../../changes/consumer.ts';
import { erasureConsumer } from '../../history/history.ts';
import type { Chat } from '../chat.ts';

/** Minimum delay between two steps, in ms, so that user requests run in between. */
const stepPause = 5;

/** The timer does not keep the process running. */
const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms).unref());

/** Returns the consumer that runs all unfinished erasures, step by step. */
export function erasing({ history, everywhere }: Pick<Chat, 'history' | 'everywhere'>): Consumer {
  return {
    name: erasureConsumer,
    types: ['erasing'],
    async take(_entries, { server, signal }) {
      let kicked: string | undefined;
      for (;;) {
        signal.throwIfAborted();
        const began = performance.now();
        const by = kicked === undefined ? { by: server } : { by: server, kicked };
        const step = await history.write.eraseStep({ ...by, at: Date.now() });
        if (step === null) return {};
        kicked = step.kick ? step.user : undefined;
        if (step.kick) await everywhere(step.user, { is: 'kick' });
        // Pauses at least as long as the step took, so that erasing takes at most half of the time.
        else await pause(Math.max(stepPause, performance.now() - began));
      }
    },
  };
}
