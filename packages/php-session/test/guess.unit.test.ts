import { deflateRawSync, deflateSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { guessFormat } from '../src/formats/guess.ts';

const session = 'user_id|i:7;bio|s:40:"a text that is long enough for 64 bytes.";';
test.each([
  ['json', '{"user_id":7}', 'format=json'],
  ['json, empty', '[]', 'format=json'],
  ['json, empty', '{}', 'format=json'],
  ['zlib', deflateSync(session), 'layers=zlib'],
  ['zlib at the fastest level', deflateSync(session, { level: 1 }), 'layers=zlib'],
  ['raw deflate', deflateRawSync(session), 'layers=inflate'],
  ['raw deflate of an unknown format', deflateRawSync('hello'), undefined],
  ['an object', 'O:8:"stdClass":1:{s:2:"id";i:7;}', 'format=php_serialize'],
  ['base64', Buffer.from(session).toString('base64'), 'layers=base64'],
  ['a short base64 text', Buffer.from('user_id|i:7;').toString('base64'), 'layers=base64'],
  ['URL-encoded', encodeURIComponent('a:1:{s:7:"user_id";i:7;}'), 'layers=urldecode'],
  ['serialized again', 's:24:"a:1:{s:7:"user_id";i:7;}";', 'layers=unserialize'],
  [
    'of Laravel',
    Buffer.from('{"iv":"…","value":"…","mac":"…"}').toString('base64'),
    'layers=laravel:KEYFILE',
  ],
  ['plain text', 'hello', undefined],
  ['nothing', '', undefined],
])('suggests the option that reads a session: %s', (_, bytes, option) => {
  expect(guessFormat(Buffer.from(bytes)).option).toBe(option);
});

test('recognises data that a Memcached object compressed', () => {
  const bytes = Buffer.concat([Buffer.from([session.length, 0, 0, 0]), deflateSync(session)]);
  expect(guessFormat(bytes)).toMatchObject({ looks: 'zlib compressed data' });
});
