import type { ReportEnd, RoomRole, RoomSettings, ShownAct } from '../../wire/events.ts';

/** Of a user on the whole site. Moderators of a room lay a `Restriction` on somebody. */
export interface Ban {
  /** Milliseconds since 1970; absent for good. */
  until?: number;
  reason?: string;
  /** The moderator; absent for the PHP application. */
  by?: string;
}

export type HeldChange = 'held' | 'approved' | 'rejected' | 'discarded';

/** An act of moderation: by whom, of whom, where, when and why. It holds no name and no text of a message. */
export interface Act {
  kind: ShownAct['kind'];
  /** Milliseconds since 1970. */
  at: number;
  /** The moderator; absent for the PHP application. */
  by?: string;
  user?: string;
  room?: string;
  /** It concerns a public room, or none. Not read. */
  open?: true;
  seq?: number;
  reason?: string;
  /** The new state: when a mute or ban ends, the role, the decision of a report, the changed settings of a room. */
  to?: {
    until?: number;
    role?: RoomRole;
    done?: ReportEnd;
    changed?: ('name' | 'topic' | keyof RoomSettings)[];
  } & RoomSettings;
}
