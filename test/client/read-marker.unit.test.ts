import { expect, onTestFinished, test, vi } from 'vitest';
import type { Chat } from '../../client/src/chat/chat.ts';
import { ReadMarker } from '../../client/src/views/messages/read-marker.ts';
import type { TimelineView } from '../../client/src/views/messages/timeline.tsx';

test('marks nothing as read after the panel closed, even before the next rendering', () => {
  vi.useFakeTimers();
  onTestFinished(() => void vi.unstubAllGlobals());
  vi.stubGlobal('document', { hasFocus: () => true, hidden: false });
  const timeline = { atEnd: true, visible: true };
  const chat = {
    markRead: vi.fn(),
    shown: {
      sight: undefined as (() => boolean) | undefined,
      get viewing() {
        return this.sight?.() === true;
      },
    },
  };
  const marker = new ReadMarker(chat as unknown as Chat, timeline as TimelineView);
  marker.watch();
  expect(chat.shown.viewing).toBe(true);
  timeline.visible = false;
  expect(chat.shown.viewing).toBe(false);
  vi.advanceTimersByTime(500);
  expect(chat.markRead).not.toHaveBeenCalled();
});
