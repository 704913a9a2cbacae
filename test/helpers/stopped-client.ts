/** A client in a separate process, so that it can be stopped: `node stopped-client.ts PORT COOKIE`. */
import { connectRaw } from './raw-client.ts';

const [port = '', cookie = ''] = process.argv.slice(2);
await connectRaw(Number(port), cookie, 'lobby');
console.log('joined');
