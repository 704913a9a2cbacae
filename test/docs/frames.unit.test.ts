import { expect, test } from 'vitest';
import { faultOf } from '../helpers/frames.ts';

const typing = { room: 'lobby', user: { id: '1', name: 'Ann' }, typing: true };

test('the check of frames finds missing, wrong and undeclared fields, and undeclared events', () => {
  const { typing: _, ...without } = typing;
  expect(faultOf('typing:changed', typing)).toBeUndefined();
  expect(faultOf('typing:changed', without)).toMatch(/typing/);
  expect(faultOf('typing:changed', { ...typing, room: 1 })).toMatch(/room/);
  expect(faultOf('typing:changed', { ...typing, more: 1 })).toMatch(/Unrecognized key: "more"/);
  expect(faultOf('room:explode', {})).toBe('room:explode is not declared');
});
