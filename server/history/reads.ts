import type { ReadRegistry } from './engine/read.ts';
import { fileReads } from './files/files.ts';
import { inviteReads } from './invites.ts';
import { memberReads } from './members/members.ts';
import { membershipReads } from './members/memberships.ts';
import { readingReads } from './members/reading.ts';
import { expiryReads } from './messages/expiry.ts';
import { messageReads } from './messages/pages.ts';
import { reactionReads } from './messages/reactions.ts';
import { aboutPersonReads } from './moderation/about-person.ts';
import { actReads } from './moderation/acts.ts';
import { banReads } from './moderation/bans.ts';
import { heldReads } from './moderation/held.ts';
import { reportReads } from './moderation/reports.ts';
import { restrictionReads } from './moderation/restrictions.ts';
import { deviceReads } from './notifications/devices.ts';
import { mailReads } from './notifications/mails.ts';
import { noticeReads } from './notifications/notices.ts';
import { arrivalReads } from './people/arrivals.ts';
import { blockReads } from './people/blocks.ts';
import { findUsersReads } from './people/find-users.ts';
import { lastHereReads } from './people/last-here.ts';
import { userReads } from './people/users.ts';
import { pinReads } from './pins.ts';
import { dayReads } from './rooms/days.ts';
import { roomReads } from './rooms/rooms.ts';
import { threadReads } from './threads.ts';
import { webhookReads } from './webhooks.ts';

/** The reads of all subjects. */
export const reads: ReadRegistry = {
  ...roomReads,
  ...dayReads,
  ...memberReads,
  ...membershipReads,
  ...readingReads,
  ...userReads,
  ...arrivalReads,
  ...blockReads,
  ...lastHereReads,
  ...findUsersReads,
  ...messageReads,
  ...expiryReads,
  ...reactionReads,
  ...threadReads,
  ...pinReads,
  ...inviteReads,
  ...fileReads,
  ...reportReads,
  ...heldReads,
  ...actReads,
  ...banReads,
  ...restrictionReads,
  ...aboutPersonReads,
  ...noticeReads,
  ...deviceReads,
  ...mailReads,
  ...webhookReads,
};
