import type { Writes } from '../history.ts';
import { erase, eraseStep } from './erasing.ts';
import * as files from './files.ts';
import * as invites from './invites.ts';
import * as log from './log.ts';
import * as members from './members.ts';
import * as messages from './messages.ts';
import * as moderation from './moderation.ts';
import * as pins from './pins.ts';
import * as rooms from './rooms.ts';
import type { Rule } from './rule.ts';
import { follow } from './threads.ts';

/** The rules of all operations, the same for every database. */
export const rules: { [Op in keyof Writes]: Rule<Op> } = {
  ...messages,
  ...rooms,
  ...members,
  ...moderation,
  ...pins,
  ...files,
  ...invites,
  ...log,
  follow,
  erase,
  eraseStep,
};
