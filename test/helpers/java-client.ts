import { existsSync, readFileSync } from 'node:fs';
import { type Child, startChild } from './child.ts';

/** What the app was told, as `Robot.java` writes it. */
export type Told = Record<string, unknown> & { told: string; thread: string };

export interface JavaMessage {
  readonly seq: number;
  readonly rev: number;
  readonly clientId: string;
  readonly user: string;
  readonly text: string;
  readonly replyTo: number;
  readonly edited: boolean;
  readonly deletedBy?: string;
  /** Of a message that waits: why it was refused. */
  readonly failed?: string;
}

export interface JavaRoom {
  readonly id: string;
  readonly name: string;
  readonly topic?: string;
  readonly kind: string;
  readonly member: boolean;
  readonly members: number;
  readonly role?: string;
  readonly may: readonly string[];
  readonly with?: string;
  readonly unread: number;
  readonly last?: string;
  readonly notify: string;
}

export interface JavaClient extends Child {
  /** Everything that the app was told, in its order. */
  readonly told: readonly Told[];
  /** Has the app do something; the answer, or an Error with what the app was told of the failure. */
  ask<T = unknown>(what: string, more?: object): Promise<T>;
  /** Waits until the app is told this, from the given number of events on; looks at those first that came already. */
  isTold(name: string, matches?: (told: Told) => boolean, from?: number): Promise<Told>;
  /** The list of a room, as the app shows it. */
  messages(room: string): Promise<JavaMessage[]>;
}

const module = new URL('../../android/chat-client/', import.meta.url).pathname;

/** The Java client in a process of its own, as an app that does what it is asked. */
export function startJavaClient(): JavaClient {
  const path = `${module}target/test-classpath.txt`;
  if (!existsSync(path)) throw new Error('the Java client is not built: npm run android:build');
  const classPath = [`${module}target/classes`, `${module}target/test-classes`, readFileSync(path, 'utf8')];
  // What little it does is done before a second compiler would pay.
  const fast = ['-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC', '-Xshare:auto', '-Xmx256m'];
  const child = startChild('java', [...fast, '-cp', classPath.join(':'), 'io.github.phpsessionchat.Robot'], {
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const told: Told[] = [];
  const answers = new Map<number, (line: { ok?: unknown; error?: object }) => void>();
  const watching = new Set<() => void>();
  let rest = '';
  child.process.stdout?.on('data', (piece: string) => {
    const lines = (rest + piece).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) {
      const said = JSON.parse(line) as Told & { id?: number; ok?: unknown; error?: object };
      if (said.id === undefined) told.push(said);
      else answers.get(said.id)?.(said);
    }
    for (const look of watching) look();
  });
  let count = 0;
  const ask = <T>(what: string, more: object = {}) =>
    new Promise<T>((resolve, reject) => {
      const id = count++;
      const ended = () => reject(new Error(`the Java client ended:\n${child.output()}`));
      child.process.once('close', ended);
      answers.set(id, ({ ok, error }) => {
        child.process.off('close', ended);
        answers.delete(id);
        if (error === undefined) resolve(ok as T);
        else reject(Object.assign(new Error(JSON.stringify(error)), error));
      });
      child.process.stdin?.write(`${JSON.stringify({ id, do: what, ...more })}\n`);
    });
  return Object.assign(child, {
    told,
    ask,
    isTold(name: string, matches: (one: Told) => boolean = () => true, from = 0) {
      return new Promise<Told>((resolve, reject) => {
        const look = () => {
          const found = told.slice(from).find((one) => one.told === name && matches(one));
          if (found === undefined) return;
          watching.delete(look);
          child.process.off('close', ended);
          resolve(found);
        };
        const ended = () => reject(new Error(`the Java client ended:\n${child.output()}`));
        child.process.once('close', ended);
        watching.add(look);
        look();
      });
    },
    messages: (room: string) => ask<JavaMessage[]>('messages', { room }),
  });
}
