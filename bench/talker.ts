/**
 * A user who sends messages during a storm. Runs in a separate thread, because the thread of the storm would add its
 * own delay to the result. Responds to the message `stop` with the time of each message in ms.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { parentPort, workerData } from 'node:worker_threads';
import { centrifuge, LightClient, socketIo } from './light-client.ts';

export interface Talk {
  readonly port: number;
  readonly isCentrifuge: boolean;
  /** The server's response to CONNECT. */
  readonly entered: string;
  readonly cookie: string;
  readonly room: string;
}

const { port, isCentrifuge, entered, cookie, room } = workerData as Talk;
const client = await LightClient.open(port, isCentrifuge ? centrifuge : socketIo(entered), cookie);
await client.request('room:join', { room });
let talking = true;
parentPort?.once('message', () => {
  talking = false;
});
parentPort?.postMessage('ready');
const late: number[] = [];
for (let n = 0; talking; n++) {
  const at = performance.now();
  const said = { room, text: 'x', clientId: `talk-${Date.now()}-${n}` };
  if (!(await client.request('message:send', said))) throw new Error('a message was rejected');
  late.push(performance.now() - at);
  await pause(5);
}
client.close();
parentPort?.postMessage(late);
