import { expect, onTestFinished, test, vi } from 'vitest';
import { Recording } from '../../client/src/views/voice/recording.ts';
import { inZone } from './in-zone.ts';

test('names the file of a voice message by the user’s day', async () => {
  inZone('America/St_Johns');
  vi.useFakeTimers({ toFake: ['Date'], now: Date.parse('2026-12-31T23:30-03:30') });
  onTestFinished(() => void vi.useRealTimers());
  const recording = new Recording('lobby', {} as never, 1000);
  expect((await recording.file()).name).toBe('voice-2026-12-31.webm');
});
