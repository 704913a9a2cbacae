import type { Room } from './room.ts';
import type { Timeline } from './timeline.ts';

/** Messages that are read as one list: those of a room, or of a thread in it. */
export interface Talk {
  readonly id: string;
  readonly room: Room;
  readonly timeline: Pick<
    Timeline,
    'head' | 'attached' | 'complete' | 'first' | 'last' | 'list' | 'get' | 'toEnd'
  >;
  /** The "New" line stands before the first message of others from this `seq` on. */
  newFrom: number | undefined;
  /** It is not known yet where it opens. */
  readonly opening: boolean;
  /** Of a thread: the message under which it is shown. */
  readonly root?: number | undefined;
}
