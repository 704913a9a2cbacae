import type { Consumer } from '../../changes/consumer.ts';
import { erasureConsumer } from '../../history/history.ts';
import type { Chat } from '../chat.ts';

/** The shortest pause between two steps, in milliseconds, in which users' requests run. */
const stepPause = 5;

/** Keeps no process alive. */
const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms).unref());

/** Erases users, step by step: all whose erasure is not over. */
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
        // Erasing takes at most half of the time.
        else await pause(Math.max(stepPause, performance.now() - began));
      }
    },
  };
}
