import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Child, startChild } from './child.ts';

/** A callback of the app, as `Robot.java` writes it. */
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
  /** The text with the current names of its mentions. */
  readonly shown: string;
  readonly hidden: boolean;
  /** Each in the form `👍 2 mine [1, 2]`. */
  readonly reactions?: readonly string[];
  readonly files?: readonly object[];
  /** The error of an unsent message that the server rejected. */
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
  readonly mentions: number;
  readonly firstSeq: number;
  readonly last?: string;
  readonly lastFiles: number;
  readonly lastHidden: boolean;
  readonly notify: string;
  readonly write: string;
  readonly slow: number;
  readonly mutedUntil: number;
  readonly mutedReason?: string;
  readonly reports: number;
}

export interface JavaClient {
  /** All callbacks of the app, in order. */
  readonly told: readonly Told[];
  /** Sends the app a command. @returns the response; throws an Error with the app's failure */
  ask<T = unknown>(what: string, more?: object): Promise<T>;
  /** Waits until the app gets this callback. Callbacks from the given index on count too. */
  isTold(name: string, matches?: (told: Told) => boolean, from?: number): Promise<Told>;
  /** The messages of a room, as the app shows them. */
  messages(room: string): Promise<JavaMessage[]>;
  /** Removes the app from its process. */
  end(): Promise<void>;
}

const root = fileURLToPath(new URL('../../', import.meta.url));

type Line = Told & { app: number; id?: number; ok?: unknown; error?: object };

interface Jvm {
  readonly child: Child;
  readonly apps: Map<number, (line: Line) => void>;
}

/** Kept, because its start takes longer than most commands. */
let kept: Jvm | undefined;
let count = 0;

/** Returns an app that runs commands, in a process that may have run others before. */
export function nextJavaClient(): JavaClient {
  if (kept === undefined || kept.child.process.exitCode !== null) kept = startJvm();
  return appIn(kept);
}

/** Returns an app in a separate process, which can be killed. @param checkout the folder with the built client */
export function startJavaClient(checkout?: string): JavaClient & Child {
  const jvm = startJvm(checkout);
  const end = async () => void (await jvm.child.stop('SIGKILL'));
  return { ...jvm.child, pid: jvm.child.pid, ...appIn(jvm), end };
}

function startJvm(checkout = root): Jvm {
  const target = join(checkout, 'android/chat-client/target');
  const path = join(target, 'test-classpath.txt');
  if (!existsSync(path)) throw new Error('the Java client is not built: npm run android:build');
  const classPath = [join(target, 'classes'), join(target, 'test-classes'), readFileSync(path, 'utf8')];
  // The program is too short for a second compiler to pay off.
  const fast = ['-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC', '-Xshare:auto', '-Xmx256m'];
  const child = startChild('java', [...fast, '-cp', classPath.join(':'), 'io.github.phpsessionchat.Robot'], {
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const apps: Jvm['apps'] = new Map();
  let rest = '';
  child.process.stdout?.on('data', (piece: string) => {
    const lines = (rest + piece).split('\n');
    rest = lines.pop() ?? '';
    for (const text of lines) {
      const line = JSON.parse(text) as Line;
      apps.get(line.app)?.(line);
    }
  });
  return { child, apps };
}

function appIn({ child, apps }: Jvm): JavaClient {
  const app = count++;
  const told: Told[] = [];
  const answers = new Map<number, (line: { ok?: unknown; error?: object }) => void>();
  const watching = new Set<() => void>();
  apps.set(app, ({ app: _, ...line }) => {
    if (line.id === undefined) told.push(line);
    else answers.get(line.id)?.(line);
    for (const look of watching) look();
  });
  let asked = 0;
  const ask = <T>(what: string, more: object = {}) =>
    new Promise<T>((resolve, reject) => {
      const id = asked++;
      const ended = () => reject(new Error(`the Java client ended:\n${child.output()}`));
      if ((child.process.exitCode ?? child.process.signalCode) !== null) return ended();
      child.process.once('close', ended);
      answers.set(id, ({ ok, error }) => {
        child.process.off('close', ended);
        answers.delete(id);
        if (error === undefined) resolve(ok as T);
        else reject(Object.assign(new Error(JSON.stringify(error)), error));
      });
      child.process.stdin?.write(`${JSON.stringify({ app, id, do: what, ...more })}\n`);
    });
  return {
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
    async end() {
      await ask('end');
      apps.delete(app);
    },
  };
}
