import type { Room } from './room.ts';
import type { Timeline } from './timeline.ts';

/** Messages that are shown as one list, either in a room or in one of its threads. */
export interface Talk {
  readonly id: string;
  readonly room: Room;
  readonly timeline: Pick<
    Timeline,
    'head' | 'attached' | 'complete' | 'first' | 'last' | 'list' | 'get' | 'toEnd'
  >;
  /** The "New" line is above the first message by another user with this `seq` or a later one. */
  newFrom: number | undefined;
  /** Whether the position at which the list opens is still unknown. */
  readonly opening: boolean;
  /** For a thread, the `seq` of its root message. */
  readonly root?: number | undefined;
}
