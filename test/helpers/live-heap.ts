import type { Child } from './child.ts';
import { metrics } from './server-figures.ts';

/** The environment of a server whose live heap is measured: Node's inspector on a free loopback port. */
export const inspected = { NODE_OPTIONS: '--inspect=127.0.0.1:0' };

/**
 * Returns the live bytes of a server, heap and buffers, after a garbage collection. Without one, a measurement would
 * include garbage that V8 has not collected yet.
 */
export async function liveHeap(server: Child & { readonly url: string }, key?: string): Promise<number> {
  const [, address = ''] = await server.until(/^Debugger listening on (ws:\S+)$/m);
  const inspector = new WebSocket(address);
  await new Promise((resolve, reject) => {
    inspector.onopen = resolve;
    inspector.onerror = reject;
  });
  // Twice, because finalizers of the first collection free more buffers.
  for (const id of [1, 2]) {
    const collected = new Promise((resolve) => {
      inspector.onmessage = resolve;
    });
    inspector.send(JSON.stringify({ id, method: 'HeapProfiler.collectGarbage' }));
    await collected;
  }
  inspector.close();
  const samples = await metrics(server.url, key);
  const of = (name: string) => samples.get(`nodejs_${name}_bytes`) ?? Number.NaN;
  return of('heap_size_used') + of('external_memory');
}
