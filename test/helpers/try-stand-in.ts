import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { startSeparate } from '../../server/limits/separate-process.ts';
import type { Attempts } from './stand-in.ts';

/** Starts the stand-in as the server starts the real process, and prints what it could do and how it is confined. */
const [kind = '', attempts = ''] = process.argv.slice(2);
const child = await startSeparate(new URL('./stand-in.ts', import.meta.url), kind as 'types');
child.ref();
child.channel?.ref();
child.send(JSON.parse(attempts) as Attempts);
const [results] = await once(child, 'message');
const status = readFileSync(`/proc/${child.pid}/status`, 'utf8');
const limits = readFileSync(`/proc/${child.pid}/limits`, 'utf8');
const lineOf = (text: string, name: string) => new RegExp(`^${name}:?\\s+(\\S+)`, 'm').exec(text)?.[1];
console.log(
  JSON.stringify({
    results,
    user: lineOf(status, 'Uid'),
    noNewPrivileges: lineOf(status, 'NoNewPrivs'),
    fileSize: lineOf(limits, 'Max file size'),
    killedFirst: readFileSync(`/proc/${child.pid}/oom_score_adj`, 'utf8').trim(),
    core: lineOf(limits, 'Max core file size'),
  }),
);
child.kill('SIGKILL');
