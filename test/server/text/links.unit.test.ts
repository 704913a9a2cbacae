import { expect, test } from 'vitest';
import { linksIn } from '../../../server/text/format.ts';
import { expectCpuBelow, tenMillionBytes } from '../../helpers/cpu.ts';

const length = 50_000;

test.each([
  'http://a.b/(',
  '((http://a.b/(()',
  'http://a.b/([{',
  'http:///',
  'http://a.1/',
  'http://a.b:99999/',
  `http://${'a'.repeat(64)}/`,
  'mailto:/',
  'mailto:a(',
  'www.a.b[',
  'http://é.b/(',
])('finds the links of %j again and again in linear time', (part) => {
  const text = part.repeat(length / part.length);
  expectCpuBelow(60 * tenMillionBytes(), () => linksIn(text));
});

test('keeps nested brackets in an address', () => {
  const rison = `https://a.example/#(${'a:('.repeat(20)}${')'.repeat(20)})`;
  expect(linksIn(`see ${rison}.`).map(({ text }) => text)).toEqual([rison]);
});
