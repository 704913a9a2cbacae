import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Room } from '../../client/src/store/room.ts';
import type { Context } from '../../client/src/views/context.ts';
import { Media } from '../../client/src/views/media/media.tsx';
import { type Player, soundOf } from '../../client/src/views/media/player.ts';
import type { Message, MessageFile, RoomSummary } from '../../server/wire/events.ts';
import { memoryStorage, storeIn } from './memory-storage.ts';

/** Simulates a media element. Like a real one, it plays the loaded data even after its `src` changes, until `load`. */
class Medium extends EventTarget {
  src: string | undefined;
  loaded: string | undefined;
  paused = true;
  currentTime = 0;

  async play() {
    this.paused = false;
    this.loaded ??= this.src;
  }
  pause() {
    this.paused = true;
  }
  removeAttribute(name: 'src') {
    this[name] = undefined;
  }
  load() {
    this.loaded = this.src;
    this.currentTime = 0;
  }
}

const bob = { id: '2', name: 'Bob' };
const file = { id: 'f1', name: 'a.webm', type: 'audio/webm', audio: { peaks: '0v' } } as MessageFile;
const message: Message = {
  id: 'm1',
  room: 'talk',
  seq: 7,
  rev: 1,
  clientId: 'c7',
  user: bob,
  text: '',
  sentAt: 1,
  files: [file],
};
const roomOf = (id: string) => new Room({ id } as RoomSummary);
const withoutFile = { id: 'talk', timeline: { get: () => ({ ...message, files: [] }) } } as unknown as Room;

let audio: Medium;
let player: Player;
let media: Media;

beforeEach(() => {
  audio = new Medium();
  vi.stubGlobal('Audio', function Audio() {
    return audio;
  });
  const server = 'https://chat.example/';
  const chat = {
    server,
    me: { id: '1', name: 'Alice' },
    rooms: new Map(),
    followers: new Set(),
    settings: storeIn(memoryStorage(), server),
    store: storeIn(memoryStorage(), server, '1'),
  };
  const context = { chat, changed: () => {} } as unknown as Context;
  media = new Media(context, new AbortController().signal);
  ({ player } = media);
  expect([...chat.followers]).toContain(player);
  player.play(soundOf(context, file, { key: '2/c7', user: bob, text: '', sentAt: 1, message }));
});
afterEach(() => {
  vi.unstubAllGlobals();
});

test.each<[what: string, gone: () => void]>([
  ['its message is deleted', () => player.outdated(roomOf('talk'), 7, true)],
  ['an edit removes its file', () => player.outdated(withoutFile, 7, false)],
  ['its author may be erased', () => player.reset(roomOf('talk'))],
  ['the user loses its room', () => player.removed(roomOf('talk'))],
  ['its author is blocked', () => player.blocked({ user: '2', blocked: true })],
  ['the session ends', () => media.clear()],
])('stops a playing voice message and unloads it when %s', (_, gone) => {
  // Unrelated calls have no effect.
  player.outdated(roomOf('talk'), 7, false);
  player.outdated(roomOf('talk'), 6, true);
  player.outdated(roomOf('other'), 7, true);
  player.reset(roomOf('other'));
  player.blocked({ user: '3', blocked: true });
  player.blocked({ user: '2', blocked: false });
  expect([audio.paused, media.bar()]).toEqual([false, expect.anything()]);
  gone();
  expect([audio.paused, audio.loaded, media.bar()]).toEqual([true, undefined, undefined]);
});

test('unloads a video that is no longer shown', async () => {
  const video = new Medium();
  const element = video as unknown as HTMLVideoElement;
  video.src = 'https://chat.example/files/v1/a.mp4';
  await video.play();
  player.give(element);
  player.release(element);
  expect([video.paused, video.loaded]).toEqual([true, undefined]);
});
