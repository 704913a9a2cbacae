import type { ReportEnd, RoomRole, RoomSettings, ShownAct } from '../../wire/events.ts';

/** A ban from the whole site. A ban from a room is a `Restriction`. */
export interface Ban {
  /** When it ends, in milliseconds since 1970. Absent if it is permanent. */
  until?: number;
  reason?: string;
  /** The moderator. Absent if the PHP application set it. */
  by?: string;
}

export type PendingChange = 'held' | 'approved' | 'rejected' | 'discarded';

/** An audit entry. It contains IDs, but no names and no message texts. */
export interface Act {
  kind: ShownAct['kind'];
  /** Milliseconds since 1970. */
  at: number;
  /** The moderator. Absent if the PHP application acted. */
  by?: string;
  /** The affected user. */
  user?: string;
  room?: string;
  /** Set if the entry is about a public room or no room. Stored, but absent in results. */
  open?: true;
  seq?: number;
  reason?: string;
  /** The new state: the end of a mute or ban, the role, the decision about a report, the changed settings of a room. */
  to?: {
    until?: number;
    role?: RoomRole;
    done?: ReportEnd;
    changed?: ('name' | 'topic' | keyof RoomSettings)[];
  } & RoomSettings;
}
