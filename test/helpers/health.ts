import { Agent, get } from 'node:http';

export interface Health {
  /** How long each answer has taken, in milliseconds; one that failed counts too. */
  readonly latencies: number[];
  /** Asks no more, and waits for what has been asked. */
  stop(): Promise<void>;
}

/** Asks `/healthz` twenty times a second, whether or not the last answer has come: a stall is then seen as often. */
export function watchHealth(port: number): Health {
  const agent = new Agent({ keepAlive: true });
  const latencies: number[] = [];
  const under = new Set<Promise<void>>();
  const ask = () => {
    const began = performance.now();
    const one = new Promise<void>((resolve) => {
      const asked = get({ port, host: '127.0.0.1', path: '/healthz', agent }, (answer) => {
        answer.resume().on('close', resolve);
      });
      asked.on('error', () => resolve());
    }).then(() => {
      latencies.push(performance.now() - began);
      under.delete(one);
    });
    under.add(one);
  };
  const timer = setInterval(ask, 50);
  return {
    latencies,
    async stop() {
      clearInterval(timer);
      await Promise.all(under);
      agent.destroy();
    },
  };
}
