import { Agent, get } from 'node:http';

export interface Health {
  /** The time of each answer in milliseconds, including failed ones. */
  readonly latencies: number[];
  /** The errors, and the statuses that were not 200. */
  readonly failures: string[];
  /** Stops asking, and waits for the open requests. */
  stop(): Promise<void>;
}

/** Asks `/healthz` twenty times a second without waiting for answers, so that a stall is seen as often. */
export function watchHealth(port: number): Health {
  const agent = new Agent({ keepAlive: true });
  const latencies: number[] = [];
  const failures: string[] = [];
  const under = new Set<Promise<void>>();
  const ask = () => {
    const began = performance.now();
    const one = new Promise<void>((resolve) => {
      const asked = get({ port, host: '127.0.0.1', path: '/healthz', agent }, (answer) => {
        if (answer.statusCode !== 200) failures.push(String(answer.statusCode));
        answer.resume().on('close', resolve);
      });
      asked.on('error', (error) => {
        failures.push(String(error));
        resolve();
      });
    }).then(() => {
      latencies.push(performance.now() - began);
      under.delete(one);
    });
    under.add(one);
  };
  const timer = setInterval(ask, 50);
  return {
    latencies,
    failures,
    async stop() {
      clearInterval(timer);
      await Promise.all(under);
      agent.destroy();
    },
  };
}
