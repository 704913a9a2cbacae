import { erase, eraseStep } from '../erasure/erasing.ts';
import type { Writes } from '../history.ts';
import * as changeLog from './change-log.ts';
import { forgetDays } from './days.ts';
import * as devices from './devices.ts';
import * as files from './files.ts';
import * as held from './held.ts';
import * as imports from './imports.ts';
import * as invites from './invites.ts';
import * as lastHere from './last-here.ts';
import * as mails from './mails.ts';
import * as members from './members.ts';
import * as messages from './messages.ts';
import * as moderation from './moderation.ts';
import * as notify from './notify.ts';
import * as pins from './pins.ts';
import { preview, removePreview, setPreviews } from './previews.ts';
import * as rooms from './rooms.ts';
import type { Rule } from './rule.ts';
import { follow } from './threads.ts';
import * as webhooks from './webhooks.ts';

/** The rules of all operations, the same for every database. */
export const rules: { [Op in keyof Writes]: Rule<Writes[Op]> } = {
  ...messages,
  ...rooms,
  ...members,
  ...moderation,
  ...notify,
  ...pins,
  ...files,
  ...held,
  ...imports,
  ...invites,
  ...lastHere,
  ...changeLog,
  ...mails,
  ...webhooks,
  ...devices,
  follow,
  forgetDays,
  preview,
  removePreview,
  setPreviews,
  erase,
  eraseStep,
};
