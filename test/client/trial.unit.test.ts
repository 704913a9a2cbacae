import { expect, test } from 'vitest';
import { isTrial } from '../../client/src/views/rooms/trial.ts';

test.each([
  ['https://chat.example/', 'https://chat.example/', true],
  ['https://shop.example/chat/?x=/y#z', 'https://shop.example/chat/', true],
  ['http://localhost:8080/', 'http://localhost:7070/', true],
  ['http://127.0.0.1:8080/talk', 'http://127.0.0.1:7070/', true],
  ['http://shop.localhost/', 'http://chat.localhost/', true],
  ['https://shop.example/talk', 'https://shop.example/chat/', false],
  ['https://shop.example/', 'https://chat.example/', false],
  ['https://localhost.example/', 'https://chat.example/', false],
])('%s with the chat of %s is for trying it: %s', (page, server, expected) => {
  expect(isTrial(page, server)).toBe(expected);
});
