import { expect, test } from 'vitest';
import { createLog } from '../../server/log.ts';

test('a line has a time that people can read', () => {
  let line = '';
  const write = (text: string) => {
    line = text;
  };
  createLog('info', undefined, { write }).info('listening');
  const { time } = JSON.parse(line);
  expect(time).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  expect(Math.abs(Date.parse(time) - Date.now())).toBeLessThan(60_000);
});
