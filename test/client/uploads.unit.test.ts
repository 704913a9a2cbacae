import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { type Upload, Uploads } from '../../client/src/chat/uploads.ts';

/** A request of the browser that the test answers. */
class FakeRequest {
  static all: FakeRequest[] = [];
  readonly upload: { onprogress?: (event: { loaded: number; total: number }) => void } = {};
  readonly url: string[] = [];
  status = 0;
  response: object | null = null;
  aborted = false;
  onloadend = () => {};
  constructor() {
    FakeRequest.all.push(this);
  }
  open(method: string, url: string) {
    this.url.push(method, url);
  }
  setRequestHeader() {}
  send() {}
  abort() {
    if (this.aborted) return;
    this.aborted = true;
    this.onloadend();
  }
  answer(status: number, response: object | null = null) {
    Object.assign(this, { status, response });
    this.onloadend();
  }
}
const requests = () => FakeRequest.all;
const nameIn = ({ url }: FakeRequest) => new URL(url[1] ?? '').searchParams.get('name');

let isConnected: boolean;
let uploads: Uploads;
beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal('XMLHttpRequest', FakeRequest);
  FakeRequest.all = [];
  isConnected = true;
  uploads = new Uploads('https://chat.example/', () => isConnected);
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

const settle = () => vi.advanceTimersByTimeAsync(0);
async function add(name: string, most = 100, over = {}): Promise<Upload> {
  const upload = uploads.add('lobby', new File(['words'], name, { type: 'text/plain' }), most, over);
  await settle();
  return upload;
}
const stored = { id: 'f', name: 'a.txt' };

test('uploads a file to its room under a name without control characters, and reports progress', async () => {
  const progresses: number[] = [];
  uploads.follow(({ progress }) => progresses.push(progress));
  const upload = await add('a\u202etxt.a');
  expect(requests()[0]?.url).toEqual(['POST', 'https://chat.example/files?room=lobby&name=atxt.a']);
  requests()[0]?.upload.onprogress?.({ loaded: 1, total: 4 });
  requests()[0]?.answer(201, { file: stored });
  await settle();
  expect(upload).toMatchObject({ stored, problem: undefined });
  expect(progresses).toEqual([0.25, 0.25]);
});

test.each([
  [413, undefined, 'tooLarge'],
  [415, undefined, 'type'],
  [429, undefined, 'busy'],
  [409, 'file_limit', 'limit'],
  [400, 'file_damaged', 'damaged'],
  [429, 'file_limit', 'limit'],
  [500, undefined, 'failed'],
  [0, undefined, 'failed'],
] as const)('reports a response of %i with code %s as %s', async (status, code, problem) => {
  const upload = await add('a.txt');
  requests()[0]?.answer(status, code === undefined ? null : { error: { code } });
  await settle();
  expect(upload).toMatchObject({ problem, stored: undefined });
  uploads.retry(upload);
  await settle();
  expect(upload.problem).toBeUndefined();
  requests()[1]?.answer(201, { file: stored });
  await settle();
  expect(upload.stored).toEqual(stored);
});

test('uploads files up to the maximum size', async () => {
  expect((await add('a.txt', 4)).problem).toBe('tooLarge');
  expect(requests()).toEqual([]);
  expect((await add('a.txt', 5)).problem).toBeUndefined();
  expect(requests()).toHaveLength(1);
});

test('does not upload a file beyond the message’s limit until a retry', async () => {
  const upload = await add('a.txt', 100, { problem: 'tooMany' });
  expect(requests()).toEqual([]);
  uploads.retry(upload);
  await settle();
  expect(requests()).toHaveLength(1);
});

test('uploads at most two files at once', async () => {
  const [first, , third] = [await add('1'), await add('2'), await add('3'), await add('4')];
  expect(requests().map(nameIn)).toEqual(['1', '2']);
  uploads.cancel(third?.key ?? '');
  uploads.cancel(first?.key ?? '');
  await settle();
  expect(requests()[0]?.aborted).toBe(true);
  expect(requests().map(nameIn)).toEqual(['1', '2', '4']);
  expect(uploads.get(first?.key ?? '')).toBeUndefined();
});

test('restarts an interrupted upload before queued ones after a reconnect', async () => {
  isConnected = false;
  const upload = await add('1');
  expect(requests()).toEqual([]);
  isConnected = true;
  uploads.resume();
  await settle();
  requests()[0]?.upload.onprogress?.({ loaded: 1, total: 2 });
  isConnected = false;
  await add('2');
  requests()[0]?.answer(0);
  await settle();
  expect(upload).toMatchObject({ progress: 0, problem: undefined });
  isConnected = true;
  uploads.resume();
  await settle();
  expect(requests().map(nameIn)).toEqual(['1', '1', '2']);
});

test('restarts interrupted uploads in order after a pause of the session', async () => {
  const all = [await add('1'), await add('2'), await add('3')];
  requests()[1]?.upload.onprogress?.({ loaded: 1, total: 2 });
  uploads.pause();
  await settle();
  expect(requests().map(({ aborted }) => aborted)).toEqual([true, true]);
  expect(all.map(({ problem, progress }) => [problem, progress])).toEqual(Array(3).fill([undefined, 0]));
  uploads.resume();
  await settle();
  expect(requests().map(nameIn)).toEqual(['1', '2', '1', '2']);
  requests()[3]?.answer(201, { file: stored });
  await settle();
  expect(requests().map(nameIn)).toEqual(['1', '2', '1', '2', '3']);
});

test('aborts all uploads and removes the files when cleared', async () => {
  const all = [await add('1'), await add('2'), await add('3')];
  uploads.clear();
  await settle();
  expect(all.map(({ key }) => uploads.get(key))).toEqual([undefined, undefined, undefined]);
  expect(requests().map(({ aborted }) => aborted)).toEqual([true, true]);
});

test('fails an upload without progress for a minute', async () => {
  const upload = await add('1');
  await vi.advanceTimersByTimeAsync(59_999);
  requests()[0]?.upload.onprogress?.({ loaded: 1, total: 4 });
  await vi.advanceTimersByTimeAsync(59_999);
  expect(upload.problem).toBeUndefined();
  await vi.advanceTimersByTimeAsync(1);
  expect(upload.problem).toBe('failed');
});

test('says that a file is unreadable if it was changed or deleted since it was chosen', async () => {
  const file = new File(['words'], 'a.txt');
  file.slice = () => {
    throw new DOMException('The file could not be read.', 'NotReadableError');
  };
  const upload = uploads.add('lobby', file, 100);
  await settle();
  requests()[0]?.answer(0);
  await settle();
  expect(upload.problem).toBe('damaged');
});
