import { ownPort } from './child.ts';
import { startTcpProxy, type TcpProxy } from './tcp-proxy.ts';

/** A Redis behind a proxy that can be cut, and slowed after it is restored. */
export interface CuttableBus {
  readonly url: string;
  cut(): Promise<void>;
  mend(lateMs?: number): Promise<void>;
}

export async function startCuttableBus(redisPort: number): Promise<CuttableBus> {
  const port = await ownPort();
  let proxy: TcpProxy | undefined;
  const cut = async () => {
    await proxy?.close();
    proxy = undefined;
  };
  const mend = async (lateMs = 0) => {
    await cut();
    proxy = await startTcpProxy(
      redisPort,
      (piece, client) => setTimeout(() => client.write(piece), lateMs),
      () => {},
      port,
    );
  };
  await mend();
  return { url: `redis://127.0.0.1:${port}`, cut, mend };
}
