import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { io } from 'socket.io-client';
import { onTestFinished } from 'vitest';
import { ownPort, startChild } from '../../../test/helpers/child.ts';
import { reachable } from '../../../test/helpers/memcached.ts';

/**
 * Starts a program of the README until the end of the test, with other options and on a free port.
 * @param title the heading above the program
 * @param node the program `node`
 * @param project a folder with the installed packages
 * @returns the port
 */
export async function startReadmeProgram(
  title: string,
  node: string,
  project: string,
  options: object,
): Promise<number> {
  const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
  const [, code] = new RegExp(`^## ${title}\n\n\`\`\`js\n(.*?)^\`\`\``, 'ms').exec(readme) ?? [];
  const [before, site, between, givenPort, after] =
    code?.split(/(\{ site: '\/var\/www\/html' \}|\b3000\b)/) ?? [];
  if (after === undefined || site?.startsWith('3') || givenPort !== '3000')
    throw new Error(`the README has no program for ${title} with a site and a port`);
  const port = await ownPort();
  const file = join(project, `${title}-${port}.js`);
  writeFileSync(file, `${before}${JSON.stringify(options)}${between}${port}${after}`);
  const program = startChild(node, [file], { cwd: project });
  onTestFinished(async () => void (await program.stop('SIGKILL')));
  await reachable(port, program);
  return port;
}

/** The answer of the programs for Express and Fastify. */
export async function fetchUser(port: number, cookie: string) {
  const response = await fetch(`http://localhost:${port}/me`, { headers: { cookie } });
  return { status: response.status, body: await response.json() };
}

/** Connects to the Socket.IO program as a page of this origin. */
export function connectTo(port: number, cookie: string, origin = 'https://www.example.org') {
  const socket = io(`http://localhost:${port}`, {
    transports: ['websocket'],
    reconnection: false,
    extraHeaders: { cookie, origin },
  });
  onTestFinished(() => void socket.close());
  return {
    user: new Promise<unknown>((resolve, reject) => {
      socket.on('user', resolve).on('connect_error', reject);
    }),
    disconnected: new Promise<string>((resolve) => {
      socket.on('disconnect', resolve);
    }),
  };
}
