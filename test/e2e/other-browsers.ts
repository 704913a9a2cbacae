import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import WebSocket from 'ws';
import { type Child, ownPort, startChild } from '../helpers/child.ts';
import { reachable } from '../helpers/memcached.ts';

/** A browser that Playwright cannot control as Debian packages it, with one window. */
export interface OtherBrowser {
  /** Resolves when the page has loaded. */
  open(url: string): Promise<void>;
  reload(): Promise<void>;
  /** Evaluates an expression in the page. @returns its value, which must be a string */
  evaluate(expression: string): Promise<string>;
  /** Performs input actions, in the format that WebDriver and WebDriver BiDi share. */
  perform(actions: object[]): Promise<void>;
  /** Chooses a file in the file input that this expression returns. */
  chooseFile(input: string, path: string): Promise<void>;
  screenshot(): Promise<Buffer>;
  stop(): Promise<void>;
}

const [width, height] = [1280, 800];

/** Starts a process, with a folder for its data that is removed after its end. */
function startInFolder(
  command: string,
  args: (folder: string) => string[],
  env: NodeJS.ProcessEnv = {},
): Child {
  const folder = mkdtempSync(join(tmpdir(), 'chat-browser-'));
  const child = startChild(command, args(folder), {
    env: { ...process.env, ...env, HOME: folder, XDG_CONFIG_HOME: folder, XDG_RUNTIME_DIR: folder },
  });
  child.process.on('close', () => rmSync(folder, { recursive: true, force: true }));
  return child;
}

/** Starts Firefox and controls it by WebDriver BiDi, because Debian has no geckodriver. */
export async function startFirefox(): Promise<OtherBrowser> {
  const child = startInFolder('firefox-esr', (folder) => {
    const prefs = {
      // A single page needs no spare process.
      'dom.ipc.processPrelaunch.enabled': false,
      // Without a screen, Firefox finds no mouse. The bits mean a fine pointer and hovering.
      'ui.primaryPointerCapabilities': 6,
      'ui.allPointerCapabilities': 6,
      'ui.prefersReducedMotion': 1,
    };
    const lines = Object.entries(prefs).map(([name, value]) => `user_pref("${name}", ${value});\n`);
    writeFileSync(join(folder, 'user.js'), lines.join(''));
    return ['--headless', '--no-remote', '--profile', folder, '--remote-debugging-port=0', 'about:blank'];
  });
  const [, address] = await child.until(/WebDriver BiDi listening on (ws:\S+)/);
  const socket = new WebSocket(`${address}/session`);
  await once(socket, 'open');
  let last = 0;
  const waiting = new Map<number, (answer: { result: never; error?: string; message?: string }) => void>();
  socket.on('message', (data) => {
    const answer = JSON.parse(String(data));
    waiting.get(answer.id)?.(answer);
    waiting.delete(answer.id);
  });
  const send = async <Result = unknown>(method: string, params: object): Promise<Result> => {
    const id = ++last;
    socket.send(JSON.stringify({ id, method, params }));
    const { result, error, message } = await new Promise<never>((resolve) =>
      waiting.set(id, resolve as never),
    );
    if (error !== undefined) throw new Error(`${method}: ${error}: ${message}`);
    return result;
  };
  await send('session.new', { capabilities: {} });
  // Unlike the tab of the start, a new tab has the focus.
  const { context } = await send<{ context: string }>('browsingContext.create', { type: 'tab' });
  await send('browsingContext.setViewport', { context, viewport: { width, height } });
  const run = async (expression: string) => {
    const target = { target: { context }, awaitPromise: false };
    const answer = await send<{
      result: { value: string; sharedId: string };
      exceptionDetails?: { text: string };
    }>('script.evaluate', { expression, ...target });
    if (answer.exceptionDetails !== undefined) throw new Error(answer.exceptionDetails.text);
    return answer.result;
  };
  return {
    open: async (url) => void (await send('browsingContext.navigate', { context, url, wait: 'complete' })),
    reload: async () => void (await send('browsingContext.reload', { context, wait: 'complete' })),
    evaluate: async (expression) => (await run(expression)).value,
    perform: async (actions) => void (await send('input.performActions', { context, actions })),
    async chooseFile(input, path) {
      const { sharedId } = await run(input);
      await send('input.setFiles', { context, element: { sharedId }, files: [path] });
    },
    async screenshot() {
      const { data } = await send<{ data: string }>('browsingContext.captureScreenshot', { context });
      return Buffer.from(data, 'base64');
    },
    async stop() {
      socket.terminate();
      await child.stop('SIGKILL');
    },
  };
}

/** Starts WebKitGTK's MiniBrowser on a virtual screen and controls it by WebDriver. */
export async function startWebKit(): Promise<OtherBrowser> {
  const screen = startInFolder('Xvfb', () => [
    ...['-displayfd', '1', '-nolisten', 'tcp', '-screen', '0', `${width}x${height}x24`],
  ]);
  const [, display] = await screen.until(/^(\d+)\n/m);
  const port = await ownPort();
  const child = startInFolder(
    'WebKitWebDriver',
    (folder) => {
      mkdirSync(join(folder, 'gtk-3.0'));
      writeFileSync(join(folder, 'gtk-3.0/settings.ini'), '[Settings]\ngtk-enable-animations=0\n');
      return [`--port=${port}`];
    },
    { DISPLAY: `:${display}`, GDK_BACKEND: 'x11' },
  );
  await reachable(port, child);
  const send = async <Result = unknown>(method: string, path: string, body?: object): Promise<Result> => {
    const answer = await fetch(`http://127.0.0.1:${port}/session${path}`, {
      method,
      body: JSON.stringify(body),
    });
    const { value } = (await answer.json()) as { value: Result & { error?: string; message?: string } };
    if (!answer.ok) throw new Error(`${path}: ${value.error}: ${value.message}`);
    return value;
  };
  const { sessionId } = await send<{ sessionId: string }>('POST', '', { capabilities: {} });
  const session = `/${sessionId}`;
  await send('POST', `${session}/window/rect`, { x: 0, y: 0, width, height });
  const run = <Result>(expression: string) =>
    send<Result>('POST', `${session}/execute/sync`, { script: `return ${expression}`, args: [] });
  return {
    open: async (url) => void (await send('POST', `${session}/url`, { url })),
    reload: async () => void (await send('POST', `${session}/refresh`, {})),
    evaluate: run,
    perform: async (actions) => void (await send('POST', `${session}/actions`, { actions })),
    async chooseFile(input, path) {
      const [element] = Object.values(await run<Record<string, string>>(input));
      await send('POST', `${session}/element/${element}/value`, { text: path });
    },
    screenshot: async () => Buffer.from(await send<string>('GET', `${session}/screenshot`), 'base64'),
    async stop() {
      await child.stop();
      await screen.stop();
    },
  };
}
